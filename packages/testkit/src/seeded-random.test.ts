import { OptionsError } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { seededRandom, splitMix64, xoshiro128 } from './seeded-random.ts';

const take = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);

describe('published vectors', () => {
  test('xoshiro128** from the state 1, 2, 3, 4 (reference implementation, version 1.1)', () => {
    expect(take(10, xoshiro128(1, 2, 3, 4))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test('SplitMix64 from the seeds 0 and 1234567', () => {
    expect(take(1, splitMix64(0n))).toEqual([0xe220a8397b1dcdafn]);
    expect(take(5, splitMix64(1_234_567n))).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ]);
  });
});

test('the numbers of a seed never change, since reports and regression rows depend on them', () => {
  expect(take(3, seededRandom(7))).toEqual([0.41935052000917494, 0.36189470533281565, 0.696815746370703]);
  expect(take(3, seededRandom(7).fork('arrivals'))).toEqual([
    0.13826931011863053, 0.14712510933168232, 0.5660443983506411,
  ]);
  expect(take(1, seededRandom(-1))).toEqual([0.11122081335633993]);
});

describe('fork', () => {
  test('depends on seed and name, not on the numbers drawn before', () => {
    const untouched = seededRandom(7);
    const used = seededRandom(7);
    take(1_000, used);
    expect(take(5, used.fork('a'))).toEqual(take(5, untouched.fork('a')));
  });

  test('does not change the numbers of its origin', () => {
    const forked = seededRandom(7);
    forked.fork('a')();
    expect(take(5, forked)).toEqual(take(5, seededRandom(7)));
  });

  test('differs by name, seed and depth', () => {
    const firsts = [
      seededRandom(7),
      seededRandom(8),
      seededRandom(7).fork('a'),
      seededRandom(7).fork('b'),
      seededRandom(8).fork('a'),
      seededRandom(7).fork('a').fork('a'),
      seededRandom(7).fork('é'),
    ].map((random) => random());
    expect(new Set(firsts).size).toBe(firsts.length);
  });
});

// The chi-squared statistic of a uniform source is below 148.2 in 99.9 % of cases (99 degrees of freedom). The seeds are fixed.
const CHI_SQUARE_LIMIT = 148.2;

function chiSquare(values: readonly number[], cells: number): number {
  const counts = new Array<number>(cells).fill(0);
  for (const value of values) counts[Math.floor(value * cells)]! += 1;
  const expected = values.length / cells;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test.each([0, 1, 2, 7, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])('seed %d is uniform', (seed) => {
  const values = take(100_000, seededRandom(seed));
  expect(Math.min(...values.slice(0, 10_000))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values.slice(0, 10_000))).toBeLessThan(1);
  expect(chiSquare(values, 100)).toBeLessThan(CHI_SQUARE_LIMIT);
});

test('the first numbers of adjacent seeds and of forks are uniform', () => {
  const bySeed = Array.from({ length: 20_000 }, (_, seed) => seededRandom(seed)());
  const byName = Array.from({ length: 20_000 }, (_, at) => seededRandom(7).fork(`connection ${at}`)());
  expect(chiSquare(bySeed, 100)).toBeLessThan(CHI_SQUARE_LIMIT);
  expect(chiSquare(byName, 100)).toBeLessThan(CHI_SQUARE_LIMIT);
});

test.each([1.5, NaN, Infinity, 2 ** 60, '7', undefined])('refuses the seed %s', (seed) => {
  expect(() => seededRandom(seed as number)).toThrow(OptionsError);
});
