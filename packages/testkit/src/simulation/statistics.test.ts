import { describe, expect, it } from 'vitest';
import { jainIndex, percentile, RECOVERY_SLICE_MS, TimeSlices, timeToRecover } from './statistics.ts';

describe('percentile', () => {
  it.each([
    { share: 0.5, of: [1, 2, 3, 4], is: 2 },
    { share: 0.51, of: [1, 2, 3, 4], is: 3 },
    { share: 0.999, of: [1, 2, 3, 4], is: 4 },
    { share: 0, of: [1, 2], is: 1 },
    { share: 1, of: [7], is: 7 },
    { share: 0.5, of: [], is: 0 },
  ])('takes the nearest rank: $share of $of is $is', ({ share, of, is }) => {
    expect(percentile(of, share)).toBe(is);
  });
});

describe('jainIndex', () => {
  it.each([
    { shares: [0.7, 0.7, 0.7], is: 1 },
    { shares: [1, 0, 0, 0], is: 0.25 },
    { shares: [1, 0.5], is: 0.9 },
    { shares: [0, 0], is: 1 },
  ])('of $shares is $is', ({ shares, is }) => {
    expect(jainIndex(shares)).toBeCloseTo(is, 10);
  });
});

describe('timeToRecover', () => {
  /** Ten requests per slice of 100 ms, of which `succeeded` succeed. */
  function run(durationMs: number, succeeded: (atMs: number) => number): TimeSlices {
    const slices = new TimeSlices(durationMs, RECOVERY_SLICE_MS);
    for (let atMs = 0; atMs < durationMs; atMs += RECOVERY_SLICE_MS) {
      for (let i = 0; i < 10; i++) slices.add(atMs, i < succeeded(atMs));
    }
    return slices;
  }

  it.each([
    { name: 'is 0 when nothing fails after the fault', good: () => 10, is: 0 },
    { name: 'ignores failures during the fault', good: (at: number) => (at < 5_000 ? 0 : 10), is: 0 },
    {
      // A window that begins 500 ms before the end of the failures has 50 % success; at 0 ms before, 100 %.
      name: 'ends at the first window after which all windows are good',
      good: (at: number) => (at < 7_000 ? 0 : 10),
      is: 2_000,
    },
    { name: 'tolerates 5 % failures', good: (at: number) => (at % 200 === 0 ? 9 : 10), is: 0 },
    { name: 'is Infinity when the last second is bad', good: (at: number) => (at < 9_500 ? 10 : 0), is: Infinity },
    {
      name: 'includes a second failure after a recovery',
      good: (at: number) => (at >= 8_000 && at < 8_500 ? 0 : 10),
      is: 3_500,
    },
  ])('$name', ({ good, is }) => {
    expect(timeToRecover(run(10_000, good), 5_000)).toBe(is);
  });

  it.each([Infinity, 10_000, 9_500])('is Infinity after a fault until %d of 10,000 ms', (toMs) => {
    expect(
      timeToRecover(
        run(10_000, () => 10),
        toMs,
      ),
    ).toBe(Infinity);
  });
});
