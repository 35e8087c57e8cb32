import { expect, test } from 'vitest';
import { healthyRegion, mayProbe, nextRegionHealth, type RegionHealth } from './region-health.ts';

function after(health: RegionHealth, outcomes: readonly boolean[], now: number): RegionHealth {
  return outcomes.reduce((state, failed) => nextRegionHealth(state, failed, now), health);
}
const failures = (count: number): boolean[] => Array.from({ length: count }, () => true);
const successes = (count: number): boolean[] => Array.from({ length: count }, () => false);

test.each([
  ['9 failures are too few', failures(9), 'up'],
  ['10 failures', failures(10), 'down'],
  ['half of 10', [...successes(5), ...failures(5)], 'down'],
  ['4 of 10', [...successes(6), ...failures(4)], 'up'],
])('a region goes down after enough failures: %s', (_what, outcomes, kind) => {
  expect(after(healthyRegion(0), outcomes, 1).kind).toBe(kind);
});

test.each([
  [33, 'up'],
  [36, 'down'],
])('after a long good time, %i failures in a row leave a region %s', (count, kind) => {
  expect(after(healthyRegion(0), [...successes(10_000), ...failures(count)], 1).kind).toBe(kind);
});

test('a region stays up while one call in five fails', () => {
  const outcomes = Array.from({ length: 10_000 }, (_, i) => i % 5 === 0);
  expect(after(healthyRegion(0), [...successes(10), ...outcomes], 1).kind).toBe('up');
});

test('failures before a silence of 10 s do not count', () => {
  expect(after(after(healthyRegion(0), failures(9), 1), failures(9), 10_001).kind).toBe('up');
  expect(after(after(healthyRegion(0), failures(9), 1), failures(9), 10_000).kind).toBe('down');
});

test('a region recovers after 30 s and five good probes in a row', () => {
  const down = after(healthyRegion(0), failures(10), 0);
  expect(mayProbe(down, 29_999)).toBe(false);
  expect(after(down, successes(50), 29_999)).toBe(down);
  expect(mayProbe(down, 30_000)).toBe(true);
  expect(after(down, successes(4), 30_000).kind).toBe('down');
  expect(after(down, successes(5), 30_000).kind).toBe('up');
  const again = after(down, [...successes(4), true], 30_000);
  expect(again).toEqual({ kind: 'down', since: 30_000, goodProbes: 0 });
  expect(mayProbe(again, 59_999)).toBe(false);
});
