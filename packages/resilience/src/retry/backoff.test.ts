import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constant, decorrelatedJitter, exponential, fullJitter, linear, type Backoff } from './backoff.ts';

/** The first waits of a call whose every try fails. */
function waits(backoff: Backoff, count: number, random: () => number = () => 1, minBaseMs = 0): number[] {
  const made: number[] = [];
  for (let retry = 1; retry <= count; retry++) {
    made.push(backoff({ retry, previousMs: made.at(-1) ?? 0, random, minBaseMs }));
  }
  return made;
}

describe('the waits of the AWS SDKs of 2026, with maximum jitter', () => {
  it('50 ms doubling to 20 s', () => {
    expect(waits(fullJitter(), 12)).toEqual([
      50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000, 20_000,
    ]);
  });

  it('throttled: 1 s doubling to 20 s', () => {
    expect(waits(fullJitter(), 7, () => 1, 1_000)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it('the worked example of four retries', () => {
    expect(waits(fullJitter(), 4)).toEqual([50, 100, 200, 400]);
  });
});

describe('each curve', () => {
  it.each([
    { name: 'constant', backoff: constant({ delayMs: 70 }), expected: [70, 70, 70, 70] },
    { name: 'constant of nothing', backoff: constant({ delayMs: 0 }), expected: [0, 0, 0, 0] },
    { name: 'linear from nothing', backoff: linear({ baseMs: 0 }), expected: [0, 0, 0, 0] },
    { name: 'linear', backoff: linear({ baseMs: 100, maxMs: 250 }), expected: [100, 200, 250, 250] },
    { name: 'exponential', backoff: exponential({ baseMs: 10, factor: 3, maxMs: 200 }), expected: [10, 30, 90, 200] },
    { name: 'exponential of factor 1', backoff: exponential({ baseMs: 10, factor: 1 }), expected: [10, 10, 10, 10] },
    { name: 'decorrelated', backoff: decorrelatedJitter({ baseMs: 10, maxMs: 200 }), expected: [10, 30, 90, 200] },
    { name: 'a base above the default cap', backoff: exponential({ baseMs: 30_000 }), expected: [3e4, 3e4, 3e4, 3e4] },
  ])('$name', ({ backoff, expected }) => {
    expect(waits(backoff, 4)).toEqual(expected);
  });

  it.each([
    { name: 'constant', backoff: constant({ delayMs: 70 }) },
    { name: 'linear', backoff: linear() },
    { name: 'exponential', backoff: exponential() },
    { name: 'fullJitter', backoff: fullJitter() },
    { name: 'decorrelatedJitter', backoff: decorrelatedJitter() },
  ])('$name starts from at least the throttled base, and describes itself', ({ backoff }) => {
    expect(waits(backoff, 1, () => 1, 1_000)[0]).toBe(1_000);
    expect(backoff.describe?.()).toMatch(/\d+ ms/);
  });

  it('does not overflow after any number of retries', () => {
    for (const backoff of [exponential(), fullJitter(), linear(), decorrelatedJitter()]) {
      const [delayMs] = [backoff({ retry: 100_000, previousMs: 20_000, random: () => 0.999 })];
      expect(delayMs).toBeGreaterThan(0);
      expect(delayMs).toBeLessThanOrEqual(20_000);
    }
  });

  it.each([
    { make: () => constant({ delayMs: -1 }), path: 'constant.delayMs' },
    { make: () => constant(100 as never), path: 'constant' },
    { make: () => linear(100 as never), path: 'linear' },
    { make: () => exponential(100 as never), path: 'exponential' },
    { make: () => fullJitter(100 as never), path: 'fullJitter' },
    { make: () => decorrelatedJitter(null as never), path: 'decorrelatedJitter' },
    { make: () => linear({ baseMs: 10, maxMs: 5 }), path: 'linear.maxMs' },
    { make: () => exponential({ factor: 0.5 }), path: 'exponential.factor' },
    { make: () => fullJitter({ baseMs: Number.NaN }), path: 'fullJitter.baseMs' },
    { make: () => fullJitter({ base: 5 } as object), path: 'fullJitter.base' },
    { make: () => decorrelatedJitter({ factor: 2 } as object), path: 'decorrelatedJitter.factor' },
  ])('refuses $path', ({ make, path }) => {
    expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });
});

describe('properties', () => {
  const growth = fc.record({ baseMs: fc.nat({ max: 5_000 }), extraMs: fc.nat({ max: 60_000 }) });
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const retry = fc.integer({ min: 1, max: 200 });

  it('a full-jitter wait lies between 0 and the exponential one, which never exceeds the cap', () => {
    fc.assert(
      fc.property(growth, fc.integer({ min: 1, max: 10 }), retry, draw, ({ baseMs, extraMs }, factor, n, random) => {
        const options = { baseMs, factor, maxMs: baseMs + extraMs };
        const input = { retry: n, previousMs: 0, random: () => random };
        const ceilingMs = exponential(options)(input);
        const delayMs = fullJitter(options)(input);
        expect(ceilingMs).toBeLessThanOrEqual(options.maxMs);
        expect(ceilingMs).toBeGreaterThanOrEqual(baseMs);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(ceilingMs);
      }),
      { seed: 1 },
    );
  });

  it.each([exponential, fullJitter])('a base of 0 stays 0, however far the growth goes: %o', (backoff) => {
    for (const n of [1, 2, 1_100]) {
      expect(backoff({ baseMs: 0, factor: 10 })({ retry: n, previousMs: 0, random: () => 0.5 })).toBe(0);
    }
  });

  it('a decorrelated wait lies between the base and three times the wait before, within the cap', () => {
    fc.assert(
      fc.property(growth, fc.nat({ max: 100_000 }), draw, ({ baseMs, extraMs }, previousMs, random) => {
        const maxMs = baseMs + extraMs;
        const delayMs = decorrelatedJitter({ baseMs, maxMs })({ retry: 2, previousMs, random: () => random });
        expect(delayMs).toBeGreaterThanOrEqual(baseMs);
        expect(delayMs).toBeLessThanOrEqual(Math.min(maxMs, Math.max(baseMs, previousMs * 3)));
      }),
      { seed: 2 },
    );
  });

  it('waits of 1,000 clients that failed together are uniform (Kolmogorov-Smirnov at 1 %)', () => {
    const random = seededRandom(7);
    const backoff = fullJitter({ baseMs: 1_000 });
    const clients = 1_000;
    const draws = Array.from({ length: clients }, () => backoff({ retry: 1, previousMs: 0, random }) / 1_000).toSorted(
      (a, b) => a - b,
    );
    const distance = Math.max(...draws.map((x, i) => Math.max((i + 1) / clients - x, x - i / clients)));
    expect(distance).toBeLessThan(1.63 / Math.sqrt(clients));
  });
});
