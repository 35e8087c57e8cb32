import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aimd, gradient2, type Gradient2State } from './limit.ts';

const bounds = { min: 4, max: 200 };
const sample = (durationMs: number, inFlight: number, dropped = false) => ({ durationMs, inFlight, dropped });

describe('aimd, as Netflix publishes it', () => {
  it.each([
    { name: 'adds one when half of the places are taken', limit: 20, at: sample(10, 10), next: 21 },
    { name: 'stays when fewer are', limit: 20, at: sample(10, 9), next: 20 },
    { name: 'cuts a tenth on a drop', limit: 20, at: sample(10, 20, true), next: 18 },
    { name: 'takes slower than 5 s for a drop', limit: 20, at: sample(5_001, 20), next: 18 },
    { name: '5 s is not', limit: 20, at: sample(5_000, 20), next: 21 },
    { name: 'never goes above the maximum', limit: 200, at: sample(10, 200), next: 200 },
    { name: 'never goes below the minimum', limit: 4, at: sample(10, 4, true), next: 4 },
  ])('$name', ({ limit, at, next }) => {
    expect(aimd(limit, at, bounds)).toBe(next);
  });
});

describe('gradient2, as Netflix publishes it', () => {
  const steady: Gradient2State = { limit: 20, longMs: 100, samples: 10 };
  const k = 2 / 601;

  it.each([
    { name: 'grows by a fifth of the queue of 4 while durations are steady', at: sample(100, 20), limit: 20.8 },
    { name: 'tolerates half as much again', at: sample(150, 20), limit: 20.8 },
    { name: 'halves its target at most', at: sample(100_000, 20), limit: 20 * 0.8 + (20 * 0.5 + 4) * 0.2 },
    { name: 'does not grow while half of the places are empty', at: sample(100, 9), limit: 20 },
    { name: 'grows when exactly half are empty', at: sample(100, 10), limit: 20.8 },
    { name: 'cuts a tenth on a drop', at: sample(100, 20, true), limit: 18 },
    { name: 'cuts a tenth on a drop, however few were in flight', at: sample(100, 1, true), limit: 18 },
  ])('$name', ({ at, limit }) => {
    expect(gradient2(steady, at, bounds).limit).toBeCloseTo(limit, 10);
  });

  it('follows the gradient between half and one', () => {
    const next = gradient2(steady, sample(200, 20), bounds);
    const longMs = 100 * (1 - k) + 200 * k;
    expect(next.longMs).toBeCloseTo(longMs, 10);
    expect(next.limit).toBeCloseTo(20 * 0.8 + (20 * ((1.5 * longMs) / 200) + 4) * 0.2, 10);
  });

  it('averages the first ten samples, then decays slowly', () => {
    let state: Gradient2State = { limit: 20, longMs: 0, samples: 0 };
    for (const ms of [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]) state = gradient2(state, sample(ms, 1), bounds);
    expect(state).toMatchObject({ longMs: 55, samples: 10 });
    expect(gradient2(state, sample(55 + 601, 1), bounds).longMs).toBeCloseTo(55 + 2, 10);
  });

  it('lets the long average decay faster when calls are more than twice as fast', () => {
    const longMs = (100 * (1 - k) + 10 * k) * 0.95;
    expect(gradient2(steady, sample(10, 20), bounds).longMs).toBeCloseTo(longMs, 10);
  });

  it('does not when they are exactly twice as fast, or slower', () => {
    const even: Gradient2State = { limit: 20, longMs: 20, samples: 0 };
    expect(gradient2(even, sample(10, 20), bounds).longMs).toBe(10);
    const twice: Gradient2State = { limit: 20, longMs: 300, samples: 1 };
    expect(gradient2(twice, sample(100, 20), bounds).longMs, 'the average is exactly twice the present').toBe(200);
  });

  it.each([
    { name: 'the minimum, on a drop', limit: 4, at: sample(100, 4, true), next: 4 },
    { name: 'the maximum', limit: 200, at: sample(100, 200), next: 200 },
  ])('stops at $name', ({ limit, at, next }) => {
    expect(gradient2({ ...steady, limit }, at, { min: 4, max: 200 }).limit).toBe(next);
  });

  it('stays within its bounds, whatever is measured', () => {
    const one = fc.record({
      durationMs: fc.double({ min: 0.1, max: 1e6, noNaN: true }),
      inFlight: fc.nat({ max: 300 }),
      dropped: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 100 }), (samples) => {
        let state: Gradient2State = { limit: 20, longMs: 0, samples: 0 };
        let limit = 20;
        for (const at of samples) {
          state = gradient2(state, at, bounds);
          limit = aimd(limit, at, bounds);
          for (const value of [state.limit, limit]) {
            expect(value).toBeGreaterThanOrEqual(4);
            expect(value).toBeLessThanOrEqual(200);
          }
        }
      }),
      { seed: 7 },
    );
  });
});
