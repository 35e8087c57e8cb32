import { expect, test } from 'vitest';
import { probesRegion, regionAfter, regionUp, type RegionHealth } from './region-health.ts';

function after(health: RegionHealth, outcomes: readonly boolean[], now: number): RegionHealth {
  return outcomes.reduce((state, failed) => regionAfter(state, failed, now), health);
}
const failures = (count: number): boolean[] => Array.from({ length: count }, () => true);
const successes = (count: number): boolean[] => Array.from({ length: count }, () => false);

test.each([
  ['9 failures are too few to tell', failures(9), 'up'],
  ['10 failures', failures(10), 'down'],
  ['half of 10', [...successes(5), ...failures(5)], 'down'],
  ['4 of 10', [...successes(6), ...failures(4)], 'up'],
])('leaving: %s', (_what, outcomes, kind) => {
  expect(after(regionUp(0), outcomes, 1).kind).toBe(kind);
});

test.each([
  [33, 'up'],
  [36, 'down'],
])('after a good time it takes some failures in a row: %i', (count, kind) => {
  expect(after(regionUp(0), [...successes(10_000), ...failures(count)], 1).kind).toBe(kind);
});

test('one in five that fails is no reason to leave', () => {
  const outcomes = Array.from({ length: 10_000 }, (_, i) => i % 5 === 0);
  expect(after(regionUp(0), [...successes(10), ...outcomes], 1).kind).toBe('up');
});

test('failures from before a silence do not count', () => {
  expect(after(after(regionUp(0), failures(9), 1), failures(9), 10_001).kind).toBe('up');
  expect(after(after(regionUp(0), failures(9), 1), failures(9), 10_000).kind).toBe('down');
});

test('coming back takes a wait, and five good probes in a row', () => {
  const down = after(regionUp(0), failures(10), 0);
  expect(probesRegion(down, 29_999)).toBe(false);
  expect(after(down, successes(50), 29_999)).toBe(down);
  expect(probesRegion(down, 30_000)).toBe(true);
  expect(after(down, successes(4), 30_000).kind).toBe('down');
  expect(after(down, successes(5), 30_000).kind).toBe('up');
  const again = after(down, [...successes(4), true], 30_000);
  expect(again).toEqual({ kind: 'down', since: 30_000, goodProbes: 0 });
  expect(probesRegion(again, 59_999)).toBe(false);
});
