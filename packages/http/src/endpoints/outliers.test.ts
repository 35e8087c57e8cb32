import { describe, expect, test } from 'vitest';
import { ejectionMs, mostEjected, outliersOf, timesEjected } from './outliers.ts';

const good = { calls: 100, failures: 1 };

describe('which endpoints stand out', () => {
  test.each([
    ['none among equals', [good, good, good, good, good], {}],
    ['the one far below the mean', [good, good, good, good, good, { calls: 100, failures: 40 }], { 5: 'successRate' }],
    ['none below 100 calls', [good, good, good, good, good, { calls: 40, failures: 20 }], {}],
    ['none among fewer than 5', [good, good, good, { calls: 100, failures: 100 }], {}],
    [
      'who fails nearly always, from 50 calls',
      Array.from({ length: 5 }, () => ({ calls: 50, failures: 43 })),
      Object.fromEntries([0, 1, 2, 3, 4].map((i) => [i, 'failureRate'])),
    ],
    ['nobody at just 85 %', Array.from({ length: 5 }, () => ({ calls: 100, failures: 85 })), {}],
  ])('%s', (_what, counts, outliers) => {
    expect(Object.fromEntries(outliersOf(counts))).toEqual(outliers);
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
  expect(mostEjected(endpoints)).toBe(most);
});

test.each([
  ['the first time', 0, -Infinity, 0, 1],
  ['right after the last', 1, 100, 100, 2],
  ['one quiet interval later', 3, 0, 10_000, 3],
  ['long after', 5, 0, 1_000_000, 1],
])('%s', (_what, before, endedAt, now, times) => {
  expect(timesEjected(before, endedAt, now)).toBe(times);
});

test('each time takes longer, up to five minutes', () => {
  expect([1, 2, 9, 10, 50].map(ejectionMs)).toEqual([30_000, 60_000, 270_000, 300_000, 300_000]);
});
