// Properties of every algorithm on random traces, and the bounds of any window of time by brute force.
import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedWindow, slidingLog, slidingWindow, tokenBucket, type Limit } from '../src/index.ts';

const periods = fc.integer({ min: 20, max: 5_000 });
const sizes = fc.integer({ min: 1, max: 40 });
const makers: Record<string, fc.Arbitrary<Limit>> = {
  tokenBucket: fc.record({ limit: sizes, periodMs: periods, burst: sizes }).map((options) => tokenBucket(options)),
  'tokenBucket, strict': fc
    .record({ limit: fc.integer({ min: 2, max: 40 }), periodMs: periods })
    .map((options) => tokenBucket({ ...options, strict: true })),
  fixedWindow: fc.record({ limit: sizes, periodMs: periods }).map((options) => fixedWindow(options)),
  slidingWindow: fc
    .record({ limit: sizes, periodMs: periods, cells: fc.integer({ min: 1, max: 20 }) })
    .map((options) => slidingWindow(options)),
  'slidingWindow, interpolated': fc
    .record({ limit: sizes, periodMs: periods, cells: fc.integer({ min: 1, max: 20 }) })
    .map((options) => slidingWindow({ ...options, mode: 'interpolated' })),
  slidingLog: fc.record({ limit: sizes, periodMs: periods }).map((options) => slidingLog(options)),
};
/** So large that a billionth of them is many tokens. */
const hugeOptions = fc.record({ limit: fc.constantFrom(1e9, 1e10, 1e12), periodMs: periods });
const hugeMakers: Record<string, fc.Arbitrary<Limit>> = {
  tokenBucket: hugeOptions.map((options) => tokenBucket(options)),
  fixedWindow: hugeOptions.map((options) => fixedWindow(options)),
  slidingWindow: hugeOptions.map((options) => slidingWindow(options)),
};

/** Requests: how long after the one before (or back in time), and what share of the capacity each costs. */
const trace = fc.array(
  fc.record({
    afterMs: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) },
      { weight: 1, arbitrary: fc.integer({ min: -500, max: 8_000 }) },
      { weight: 2, arbitrary: fc.double({ min: 0, max: 20, noNaN: true }) },
    ),
    share: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1.2, noNaN: true })),
  }),
  { maxLength: 60 },
);

/** Walks the trace and calls back before each step. */
function walk(
  limit: Limit,
  steps: readonly { afterMs: number; share: number }[],
  start: number,
  each: (state: readonly number[], now: number, cost: number) => void,
): void {
  let state: readonly number[] = [];
  let now = start;
  for (const { afterMs, share } of steps) {
    now = Math.max(start, now + afterMs);
    const cost = Math.ceil(limit.capacity * share);
    each(state, now, cost);
    state = limit.step(state, now, cost).next;
  }
}

const runs = { numRuns: 150 };

describe.each(Object.entries(makers))('%s', (_, maker) => {
  it('a denial and a peek change nothing, and remaining is between 0 and the limit', () => {
    fc.assert(
      fc.property(maker, trace, fc.constantFrom(0, 12_345), (limit, steps, start) => {
        walk(limit, steps, start, (state, now, cost) => {
          const before = [...state];
          const { decision, next } = limit.step(state, now, cost);
          expect(state).toEqual(before);
          if (!decision.allowed || cost === 0) expect(next).toBe(state);
          expect(Number.isInteger(decision.remaining)).toBe(true);
          expect(decision.remaining).toBeGreaterThanOrEqual(0);
          expect(decision.remaining).toBeLessThanOrEqual(decision.limit);
          expect(decision.retryAfterMs).toBeGreaterThanOrEqual(0);
          expect(decision.resetAfterMs).toBeGreaterThanOrEqual(0);
          expect(decision.allowed).toBe(decision.retryAfterMs === 0);
          expect(decision.retryAfterMs === Infinity).toBe(cost > limit.capacity);
        });
      }),
      runs,
    );
  });

  it('redis-cell #56: a retry is allowed exactly after retryAfterMs, and not a millisecond earlier', () => {
    fc.assert(
      fc.property(maker, trace, (limit, steps) => {
        walk(limit, steps, 0, (state, now, cost) => {
          const { retryAfterMs, allowed } = limit.step(state, now, cost).decision;
          if (allowed || retryAfterMs === Infinity) return;
          expect(limit.step(state, now + retryAfterMs, cost).decision.allowed).toBe(true);
          expect(limit.step(state, now + retryAfterMs - 1, cost).decision.allowed).toBe(false);
        });
      }),
      runs,
    );
  });

  it('remaining can be taken, and one more cannot', () => {
    expectExactRemaining(maker);
  });

  it('after resetAfterMs everything is available, and the state has expired', () => {
    fc.assert(
      fc.property(maker, trace, (limit, steps) => {
        walk(limit, steps, 0, (state, now, cost) => {
          const { decision, next } = limit.step(state, now, cost);
          const then = now + decision.resetAfterMs;
          expect(limit.step(next, then, limit.capacity).decision.allowed).toBe(true);
          if (next.length > 0) expect(limit.expiresAt([...next], 0)).toBeLessThanOrEqual(then + 1e-2);
        });
      }),
      runs,
    );
  });

  it('a refund never exceeds the capacity', () => {
    fc.assert(
      fc.property(maker, trace, fc.double({ min: 0.1, max: 50, noNaN: true }), (limit, steps, back) => {
        walk(limit, steps, 0, (state, now) => {
          const given = [...(state.length > 0 ? state : new Array<number>(limit.width).fill(0))];
          limit.charge(given, 0, now, -back, undefined);
          expect(limit.step(given, now, limit.capacity + 1).decision.allowed).toBe(false);
          const { remaining } = limit.step(given, now, 0).decision;
          expect(remaining).toBeGreaterThanOrEqual(limit.step(state, now, 0).decision.remaining);
        });
      }),
      runs,
    );
  });
});

function expectExactRemaining(maker: fc.Arbitrary<Limit>): void {
  fc.assert(
    fc.property(maker, trace, (limit, steps) => {
      walk(limit, steps, 0, (state, now) => {
        const { remaining, allowed } = limit.step(state, now, 0).decision;
        if (!allowed) return;
        const most = Math.min(remaining, limit.capacity);
        expect(limit.step(state, now, most).decision.allowed).toBe(true);
        expect(limit.step(state, now, most + 1).decision.allowed).toBe(false);
      });
    }),
    runs,
  );
}

it.each(Object.entries(hugeMakers))('%s of up to 1e12: remaining can be taken, and one more cannot', (_, maker) => {
  expectExactRemaining(maker);
});

/** The most that was admitted in any half-open window of `windowMs`, by two pointers that move over the admissions. */
function mostInAnyWindow(admitted: readonly { at: number; cost: number }[], windowMs: number): number {
  let most = 0;
  let sum = 0;
  let first = 0;
  for (const { at, cost } of admitted) {
    sum += cost;
    while ((admitted[first] as { at: number }).at <= at - windowMs) sum -= (admitted[first++] as { cost: number }).cost;
    most = Math.max(most, sum);
  }
  return most;
}

describe('the bound of any window of time, on a million requests', () => {
  const limit = 20;
  const periodMs = 1_000;
  const rows: { name: string; make: () => Limit; bound: (windowMs: number) => number }[] = [
    {
      name: 'token bucket: burst + rate * T',
      make: () => tokenBucket({ limit, periodMs, burst: 30 }),
      bound: (windowMs) => 30 + (limit * windowMs) / periodMs,
    },
    {
      name: 'strict token bucket: the limit in a period',
      make: () => tokenBucket({ limit, periodMs, strict: true }),
      bound: (windowMs) => (windowMs <= periodMs ? limit : Infinity),
    },
    {
      name: 'fixed window: twice the limit',
      make: () => fixedWindow({ limit, periodMs }),
      bound: (windowMs) => (windowMs <= periodMs ? 2 * limit : Infinity),
    },
    {
      name: 'sliding window, conservative: the limit (envoyproxy/ratelimit #32)',
      make: () => slidingWindow({ limit, periodMs }),
      bound: (windowMs) => (windowMs <= periodMs ? limit : Infinity),
    },
    {
      name: 'sliding window, interpolated: the limit up to a cell less than the period',
      make: () => slidingWindow({ limit, periodMs, mode: 'interpolated' }),
      bound: (windowMs) => (windowMs <= periodMs * 0.9 ? limit : Infinity),
    },
    {
      name: 'sliding log: the limit',
      make: () => slidingLog({ limit, periodMs }),
      bound: (windowMs) => (windowMs <= periodMs ? limit : Infinity),
    },
  ];

  it.each(rows)('$name', ({ make, bound }) => {
    const rule = make();
    const random = seededRandom(7);
    const state = new Array<number>(rule.width).fill(0);
    const admitted: { at: number; cost: number }[] = [];
    let now = 0;
    for (let i = 0; i < 170_000; i++) {
      const { allowed, retryAfterMs } = rule.look(state, 0, now, 1);
      if (allowed) {
        rule.commit(state, 0, now, 1, 0);
        admitted.push({ at: now, cost: 1 });
      }
      // Bursts, retries exactly after retryAfterMs, edges of periods and cells, and pauses.
      const draw = random();
      if (draw < 0.5) continue;
      if (draw < 0.7) now += Math.max(1, retryAfterMs);
      else if (draw < 0.8) now = (Math.floor(now / 100) + 1) * 100 - (random() < 0.5 ? 1 : 0);
      else if (draw < 0.85) now += periodMs - 1;
      else now += Math.floor(random() * 120);
    }
    for (const windowMs of [1, 50, 100, 333, 500, 900, 1_000, 2_500]) {
      const most = mostInAnyWindow(admitted, windowMs);
      expect(most, `in ${windowMs} ms`).toBeLessThanOrEqual(bound(windowMs) + 1e-6);
    }
    // Proves that the check can fail: each limit admits more than half of its bound.
    expect(mostInAnyWindow(admitted, periodMs)).toBeGreaterThan(limit / 2);
  });
});
