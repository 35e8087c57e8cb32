import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNumbers } from './counting-rule.ts';
import { CountWindow, TimeWindow } from './rate-window.ts';

/** A window whose numbers start in the middle of a list. */
function counting(windowMs: number) {
  const at = 5;
  const list = createNumbers(at + TimeWindow.SIZE);
  const window = new TimeWindow(windowMs);
  return {
    add: (counted: boolean, now: number): void => window.add(list, at, counted, now),
    clear: (): void => window.clear(list, at),
    get total(): number {
      return window.total(list, at);
    },
    get counted(): number {
      return window.counted(list, at);
    },
  };
}

describe('TimeWindow of 10 s in ten buckets', () => {
  it('counts in steps, and drops buckets as they expire', () => {
    const window = counting(10_000);
    const steps: readonly [step: number, now: number, counted: boolean, total: number, countedTotal: number][] = [
      [1, 0, true, 1, 1],
      [2, 999, false, 2, 1],
      [3, 1_000, true, 3, 2],
      [4, 5_500, false, 4, 2],
      [5, 9_999, true, 5, 3],
      [6, 10_000, false, 4, 2],
      [7, 11_000, false, 4, 1],
      [8, 15_499, false, 5, 1],
      [9, 15_500, true, 5, 2],
      [10, 3_615_500, true, 1, 1],
    ];
    for (const [step, now, counted, total, countedTotal] of steps) {
      window.add(counted, now);
      expect({ total: window.total, counted: window.counted }, `step ${step}`).toEqual({
        total,
        counted: countedTotal,
      });
    }
  });

  it('cockatiel 4 sampling: failures an hour old do not count after idling', () => {
    const window = counting(5_000);
    for (let i = 0; i < 8; i++) window.add(true, i * 600);
    window.add(true, 3_600_000);
    window.add(true, 3_600_001);
    expect(window).toMatchObject({ total: 2, counted: 2 });
  });

  it('is empty after clear, and fills again', () => {
    const window = counting(5_000);
    for (let i = 0; i < 20; i++) window.add(true, i * 500);
    window.clear();
    expect(window).toMatchObject({ total: 0, counted: 0 });
    window.add(true, 9_600);
    window.add(false, 9_700);
    expect(window).toMatchObject({ total: 2, counted: 1 });
    window.add(false, 14_600);
    expect(window, 'what came after the clear grows old as well').toMatchObject({ total: 1, counted: 0 });
  });

  it('counts correctly when ten rounded buckets are shorter than the window', () => {
    const window = counting(1);
    let now = 0;
    for (let i = 0; i < 10; i++, now += 0.1) window.add(i === 0, now);
    expect(now).toBeLessThan(1);
    window.add(false, now);
    expect(window).toMatchObject({ total: 11, counted: 1 });
    window.add(false, 1);
    expect(window).toMatchObject({ total: 11, counted: 0 });
  });

  it('counts every call for at least nine tenths of the window, and none longer than the window', () => {
    const call = fc.record({ afterMs: fc.nat({ max: 2_500 }), counted: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), fc.constantFrom(1_000, 5_000, 7_777), (plan, windowMs) => {
        const window = counting(windowMs);
        const calls: { at: number; counted: boolean }[] = [];
        let now = 0;
        for (const { afterMs, counted } of plan) {
          now += afterMs;
          window.add(counted, now);
          calls.push({ at: now, counted });
          const within = (ms: number) => calls.filter(({ at }) => at > now - ms);
          expect(window.total).toBeGreaterThanOrEqual(within(0.9 * windowMs - 1e-6).length);
          expect(window.total).toBeLessThanOrEqual(within(windowMs + 1e-6).length);
          expect(window.counted).toBeLessThanOrEqual(within(windowMs + 1e-6).filter((one) => one.counted).length);
          expect(window.counted).toBeGreaterThanOrEqual(
            within(0.9 * windowMs - 1e-6).filter((one) => one.counted).length,
          );
        }
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});

describe('CountWindow', () => {
  it('equals a naive list of the last calls', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.boolean(), { maxLength: 100 }), (size, plan) => {
        const window = new CountWindow(size);
        const all: boolean[] = [];
        for (const counted of plan) {
          window.add(counted);
          all.push(counted);
          const last = all.slice(-size);
          expect(window).toMatchObject({ total: last.length, counted: last.filter(Boolean).length });
        }
        window.clear();
        expect(window).toMatchObject({ total: 0, counted: 0 });
        window.add(true);
        expect(window).toMatchObject({ total: 1, counted: 1 });
      }),
      { seed: 6 },
    );
  });
});
