import { describe, expect, test } from 'vitest';
import { ejectionDurationMs, ejectionMultiplier, findOutliers, maxEjected } from './outliers.ts';

const good = { calls: 100, failures: 1 };

describe('findOutliers returns', () => {
  test.each([
    ['none when all rates are equal', [good, good, good, good, good], {}],
    [
      'the one with a success rate far below the mean',
      [good, good, good, good, good, { calls: 100, failures: 40 }],
      { 5: 'successRate' },
    ],
    ['none for its success rate below 100 calls', [good, good, good, good, good, { calls: 40, failures: 20 }], {}],
    ['none among fewer than 5 endpoints', [good, good, good, { calls: 100, failures: 100 }], {}],
    [
      'those that fail nearly always, from 50 calls',
      Array.from({ length: 5 }, () => ({ calls: 50, failures: 43 })),
      Object.fromEntries([0, 1, 2, 3, 4].map((i) => [i, 'failureRate'])),
    ],
    ['none at a failure rate of exactly 85 %', Array.from({ length: 5 }, () => ({ calls: 100, failures: 85 })), {}],
  ])('%s', (_what, counts, outliers) => {
    expect(Object.fromEntries(findOutliers(counts))).toEqual(outliers);
  });
});

test.each([
  [1, 0],
  [2, 1],
  [5, 1],
  [19, 1],
  [20, 2],
  [10_000, 1_000],
])('of %i endpoints at most %i are ejected', (endpoints, most) => {
  expect(maxEjected(endpoints)).toBe(most);
});

test.each([
  ['is 1 the first time', 0, -Infinity, 0, 1],
  ['is one more right after the previous ejection', 1, 100, 100, 2],
  ['is unchanged one quiet interval later', 3, 0, 10_000, 3],
  ['is 1 again long after', 5, 0, 1_000_000, 1],
])('the multiplier of an ejection %s', (_what, previous, endedAt, now, multiplier) => {
  expect(ejectionMultiplier(previous, endedAt, now)).toBe(multiplier);
});

test('each ejection takes longer, up to five minutes', () => {
  expect([1, 2, 9, 10, 50].map(ejectionDurationMs)).toEqual([30_000, 60_000, 270_000, 300_000, 300_000]);
});
