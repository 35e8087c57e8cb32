import { OptionsError } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { fixed, logNormal, uniform, type Distribution } from './distribution.ts';
import { seededRandom } from './seeded-random.ts';

function percentiles(distribution: Distribution, ...shares: number[]): number[] {
  const random = seededRandom(3);
  const samples = Array.from({ length: 100_000 }, () => distribution.sample(random)).sort((a, b) => a - b);
  return shares.map((share) => samples[Math.floor(share * samples.length)]!);
}

test('fixed always returns the same duration', () => {
  expect(percentiles(fixed(200), 0, 0.5, 0.999)).toEqual([200, 200, 200]);
});

test('uniform is evenly distributed over its range', () => {
  const [lowest, quarter, half, highest] = percentiles(uniform(100, 300), 0, 0.25, 0.5, 0.99999);
  expect(lowest).toBeGreaterThanOrEqual(100);
  expect(highest).toBeLessThan(300);
  expect(quarter).toBeCloseTo(150, -1);
  expect(half).toBeCloseTo(200, -1);
});

describe('logNormal', () => {
  test.each([
    [20, 400],
    [5, 8],
    [100, 100],
  ])('has the median %d and the p99 %d of its options', (medianMs, p99Ms) => {
    const [median, p99] = percentiles(logNormal({ medianMs, p99Ms }), 0.5, 0.99) as [number, number];
    expect(median / medianMs).toBeCloseTo(1, 1);
    expect(p99 / p99Ms).toBeCloseTo(1, 1);
  });

  test('never returns Infinity, for any random number', () => {
    const { sample } = logNormal({ medianMs: 20, p99Ms: 400 });
    for (const draw of [0, 2 ** -32, 0.5, 1 - 2 ** -32, 1 - 2 ** -53])
      expect(sample(() => draw)).toBeLessThan(Infinity);
  });
});

test.each([
  [() => fixed(-1), 'fixed.ms'],
  [() => fixed(Infinity), 'fixed.ms'],
  [() => uniform(10, 5), 'uniform.maxMs'],
  [() => logNormal({ medianMs: 0, p99Ms: 5 }), 'logNormal.medianMs'],
  [() => logNormal({ medianMs: 10, p99Ms: 5 }), 'logNormal.p99Ms'],
])('refuses wrong options: %s', (make, path) => {
  expect(make).toThrow(expect.objectContaining({ path }));
  expect(make).toThrow(OptionsError);
});

test('describes itself', () => {
  expect([fixed(200), uniform(1, 2), logNormal({ medianMs: 20, p99Ms: 400 })].map((one) => one.describe())).toEqual([
    '200 ms',
    'between 1 and 2 ms',
    'log-normal, median 20 ms, p99 400 ms',
  ]);
});
