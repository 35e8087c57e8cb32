import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { figureOf, totalOf } from '../src/measurement.ts';
import { isDistinct, ratioOf, verdictOf } from '../src/ratio.ts';

const ones = (count: number): number[] => Array.from({ length: count }, () => 1);

describe('the total of several slices', () => {
  test('weighs each slice by its operations, and takes the peak of memory', () => {
    const slices = [
      { cpuNs: 100, perSecond: 1_000, peakMiB: 5, operations: 10 },
      { cpuNs: 400, perSecond: 3_000, peakMiB: 7, operations: 30 },
    ];
    expect(totalOf(slices)).toEqual({ cpuNs: 325, perSecond: 2_000, peakMiB: 7, operations: 40 });
  });
});

describe('the figure of several rounds', () => {
  test.each([
    ['an odd number', [3, 1, 2], 2, 0.25],
    ['an even number', [4, 1, 2, 3], 2.5, 0.3],
    ['one round', [7], 7, 0],
    ['rounds alike', [5, 5, 5], 5, 0],
    ['one far out, which moves neither', [1, 2, 3, 4, 1_000], 3, 1 / 3],
  ])('%s', (_, rounds, median, spread) => {
    expect(figureOf(rounds).median).toBe(median);
    expect(figureOf(rounds).spread).toBeCloseTo(spread, 10);
  });
});

describe('a ratio', () => {
  test('is computed within each round, so that a slow round cancels out', () => {
    const slowedDown = [1, 3, 1, 2, 1, 5, 1];
    expect(
      ratioOf(
        slowedDown.map((s) => 50 * s),
        slowedDown.map((s) => 100 * s),
      ),
    ).toEqual({
      ...{ value: 0.5, low: 0.5, high: 0.5 },
    });
  });

  test.each([
    [3, 1, 3],
    [7, 1, 7],
    [8, 1, 8],
    [9, 2, 8],
    [12, 3, 10],
    [25, 8, 18],
  ])('of %i rounds has an interval from the %i. to the %i. round, by the sign test', (rounds, low, high) => {
    const costs = Array.from({ length: rounds }, (_, i) => i + 1);
    expect(ratioOf(costs, ones(rounds))).toMatchObject({ low, high });
  });

  test('of other numbers of rounds is rejected', () => {
    expect(() => ratioOf([1, 2], [1])).toThrow('the same number of rounds');
    expect(() => ratioOf([], [])).toThrow('the same number of rounds');
  });

  test('lies within its interval, and its inverse is that of the swapped contenders', () => {
    const cost = fc.double({ min: 1, max: 1e6, noNaN: true });
    const rounds = fc.integer({ min: 1, max: 15 }).chain((n) => {
      const costs = fc.array(cost, { minLength: n, maxLength: n });
      return fc.tuple(costs, costs);
    });
    fc.assert(
      fc.property(rounds, ([of, to]) => {
        const [there, back] = [ratioOf(of, to), ratioOf(to, of)];
        expect(there.low).toBeLessThanOrEqual(there.value);
        expect(there.value).toBeLessThanOrEqual(there.high);
        expect(back.low).toBeCloseTo(1 / there.high, 8);
        expect(isDistinct(back)).toBe(isDistinct(there));
      }),
    );
  });
});

describe('the verdict of a claim', () => {
  test.each([
    ['the whole interval below the limit', { value: 0.8, low: 0.7, high: 0.9 }, 'holds', true],
    ['the interval on both sides of it', { value: 0.93, low: 0.9, high: 0.99 }, 'holds narrowly', true],
    ['a median above it, an interval on both sides', { value: 0.96, low: 0.94, high: 0.99 }, 'misses narrowly', true],
    ['the whole interval above', { value: 1.2, low: 1.1, high: 1.3 }, 'misses', true],
    ['an interval across one: no ratio to tell', { value: 0.94, low: 0.9, high: 1.1 }, 'holds narrowly', false],
  ])('%s', (_, ratio, verdict, distinct) => {
    expect(verdictOf(ratio, 0.95)).toBe(verdict);
    expect(isDistinct(ratio)).toBe(distinct);
  });
});
