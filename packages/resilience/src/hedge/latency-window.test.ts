import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyWindow } from './latency-window.ts';

function filled(durations: readonly number[], now = 0): LatencyWindow {
  const window = new LatencyWindow(30_000);
  for (const durationMs of durations) window.add(durationMs, now);
  return window;
}

describe('LatencyWindow', () => {
  it('is empty at first', () => {
    const window = new LatencyWindow(30_000);
    expect(window.total(0)).toBe(0);
    expect(window.percentile(0.5, 0)).toBe(Infinity);
  });

  it.each([
    { ratio: 0.25, is: 1 },
    { ratio: 0.26, is: 2 },
    { ratio: 0.5, is: 2 },
    { ratio: 0.75, is: 40 },
    { ratio: 0.76, is: 500 },
    { ratio: 1, is: 500 },
  ])('of four durations, $ratio did not take longer than $is ms', ({ ratio, is }) => {
    expect(filled([500, 1, 40, 2]).percentile(ratio, 0)).toBe(is);
  });

  it('is at most 4.4 % above the exact percentile, never below, and a duration that was measured', () => {
    const duration = fc.double({ min: 0.07, max: 2_000_000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (durations, ratio) => {
          const percentile = filled(durations).percentile(ratio, 0);
          const exact = durations.toSorted((a, b) => a - b)[Math.ceil(ratio * durations.length) - 1] as number;
          expect(durations).toContain(percentile);
          expect(percentile).toBeGreaterThanOrEqual(exact);
          expect(percentile).toBeLessThanOrEqual(exact * 2 ** (1 / 16));
        },
      ),
      { seed: 8 },
    );
  });

  it('accepts durations of 0 and beyond both ends of its scale', () => {
    expect(filled([0]).percentile(1, 0)).toBe(0);
    expect(filled([-1, 0.001, 3]).percentile(0.6, 0)).toBe(0.001);
    expect(filled([1, 1e9]).percentile(1, 0)).toBe(1e9);
    expect(filled([1, 1e9]).percentile(0.5, 0)).toBe(1);
  });

  it('counts a duration for between half of the window and all of it', () => {
    const window = filled([10]);
    const steps: readonly [step: number, now: number, add: number | undefined, total: number, longest: number][] = [
      [1, 14_999, 20, 2, 20],
      [2, 15_000, 5, 3, 20],
      [3, 29_999, 7, 4, 20],
      [4, 30_000, 6, 3, 7],
      [5, 44_999, undefined, 3, 7],
      [6, 45_000, undefined, 1, 6],
      [7, 60_000, undefined, 0, Infinity],
    ];
    for (const [step, now, add, total, longest] of steps) {
      if (add !== undefined) window.add(add, now);
      expect(window.percentile(1, now), `step ${step}`).toBe(longest);
      expect(window.total(now), `step ${step}`).toBe(total);
    }
  });

  it('is empty after idling', () => {
    const window = filled([10]);
    window.add(20, 15_000);
    expect(window.percentile(1, 44_999)).toBe(20);
    window.add(30, 59_999);
    expect(window.total(59_999)).toBe(1);
    window.add(1, 10_000_000);
    expect(window.percentile(1, 10_000_000)).toBe(1);
    expect(window.total(10_000_000)).toBe(1);
  });

  it('is empty when exactly a window has passed', () => {
    const window = filled([10]);
    window.add(20, 15_000);
    expect(window.percentile(1, 45_000)).toBe(Infinity);
    expect(window.total(45_000)).toBe(0);
  });

  it('does not return a longest duration from before a rotation', () => {
    const window = filled([10.3]);
    window.add(10.1, 100_000);
    window.add(10.1, 115_000);
    expect(window.percentile(1, 115_000)).toBe(10.1);
  });
});
