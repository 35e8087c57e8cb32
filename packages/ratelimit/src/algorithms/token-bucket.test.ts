import { describe, expect, it } from 'vitest';
import { tokenBucket } from './token-bucket.ts';

describe('tokenBucket', () => {
  // The published trace of redis-cell and throttled: one a second, five at once. Times and waits in milliseconds.
  it.each([
    { name: 'redis-cell', last: [] },
    { name: 'throttled', last: [[15_000, 6, false, 5, 0, Infinity]] },
  ] as const)('agrees with the published trace of $name', ({ last }) => {
    const limit = tokenBucket({ limit: 1, periodMs: 1_000, burst: 5 });
    let state: readonly number[] = [];
    const steps = [
      [0, 6, false, 5, 0, Infinity],
      [0, 1, true, 4, 1_000, 0],
      [0, 1, true, 3, 2_000, 0],
      [0, 1, true, 2, 3_000, 0],
      [0, 1, true, 1, 4_000, 0],
      [0, 1, true, 0, 5_000, 0],
      [0, 1, false, 0, 5_000, 1_000],
      [3_000, 1, true, 2, 3_000, 0],
      [3_100, 1, true, 1, 3_900, 0],
      [4_000, 1, true, 1, 4_000, 0],
      [8_000, 1, true, 4, 1_000, 0],
      [9_500, 1, true, 4, 1_000, 0],
      [9_500, 0, true, 4, 1_000, 0],
      [9_500, 2, true, 2, 3_000, 0],
      [9_500, 5, false, 2, 3_000, 3_000],
      ...last,
    ] as const;
    steps.forEach(([now, cost, allowed, remaining, resetAfterMs, retryAfterMs], i) => {
      const { decision, next } = limit.step(state, now, cost);
      expect(decision, `step ${i + 1}`).toEqual({ allowed, limit: 5, remaining, resetAfterMs, retryAfterMs });
      if (!allowed) expect(next, `step ${i + 1}`).toBe(state);
      state = next;
    });
  });

  it('upstash #157: grants exactly the burst at one time, also in epoch milliseconds, where doubles are a quarter µs apart', () => {
    for (const now of [0, 1_767_225_600_123.457]) {
      const limit = tokenBucket({ limit: 300, periodMs: 1_000, burst: 100_000 });
      let state: readonly number[] = [];
      for (let i = 0; i < 100_000; i++) {
        const { decision, next } = limit.step(state, now, 1);
        if (!decision.allowed) expect.fail(`refused number ${i + 1}`);
        state = next;
      }
      expect(limit.step(state, now, 1).decision.allowed).toBe(false);
    }
  });

  it('governor #107: after any long pause exactly the burst is available', () => {
    const limit = tokenBucket({ limit: 4, periodMs: 1_000 });
    let state: readonly number[] = [];
    for (const now of [0, 1_000, 10_000, 10_000_000]) {
      const allowed = Array.from({ length: 6 }, () => {
        const { decision, next } = limit.step(state, now, 1);
        state = next;
        return decision.allowed;
      });
      expect(allowed, `at ${now}`).toEqual([true, true, true, true, false, false]);
    }
  });

  it('governor: a limit of a billion per second allows ten thousand requests per millisecond', () => {
    const limit = tokenBucket({ limit: 1_000_000_000, periodMs: 1_000, burst: 1_000_000 });
    const state = [0, 0];
    for (let i = 0; i < 1_000_000; i++) {
      if (!limit.look(state, 0, i / 10_000, 1).allowed) expect.fail(`refused number ${i + 1}`);
      limit.commit(state, 0, i / 10_000, 1, 0);
    }
  });

  it('adds up fractional costs exactly', () => {
    const limit = tokenBucket({ limit: 1, periodMs: 1_000 });
    let state: readonly number[] = [];
    for (let i = 0; i < 10; i++) {
      const { decision, next } = limit.step(state, 5, 0.1);
      expect(decision.allowed, `take ${i + 1}`).toBe(true);
      state = next;
    }
    expect(limit.step(state, 5, 0.1).decision).toMatchObject({ allowed: false, retryAfterMs: 100, remaining: 0 });
  });

  it('charges costs that are tiny next to the burst, and never allows a token more', () => {
    const limit = tokenBucket({ limit: 1e12, periodMs: 86_400_000 });
    const state = [0, 0];
    for (let i = 0; i < 1_000; i++) limit.commit(state, 0, 0, 10, 0);
    expect(limit.look(state, 0, 0, 0).remaining).toBe(1e12 - 10_000);
    expect(limit.look(state, 0, 0, 1e12 - 10_000).allowed).toBe(true);
    expect(limit.look(state, 0, 0, 1e12 - 9_999).allowed).toBe(false);
  });

  it('a refund gives back nothing that has flowed back since the tokens were taken', () => {
    const limit = tokenBucket({ limit: 20, periodMs: 1_000, burst: 10, strict: true });
    const state = [0, 0];
    limit.commit(state, 0, 60_000, 10, 0);
    limit.charge(state, 0, 60_000, -9, 0);
    expect(limit.look(state, 0, 60_000, 0).remaining).toBe(0);
    // Half of what was taken 500 ms ago has flowed back: it is what is left now, and the rest can be given back.
    limit.charge(state, 0, 60_500, -9, 60_000);
    expect(limit.look(state, 0, 60_500, 0).remaining).toBe(10);
    limit.commit(state, 0, 60_500, 10, 0);
    limit.charge(state, 0, 60_500, -9, 60_000);
    expect(limit.look(state, 0, 60_500, 0).remaining).toBe(5);
  });

  it('a clock that is set back grants nothing, and retryAfterMs includes the step', () => {
    const limit = tokenBucket({ limit: 10, periodMs: 1_000 });
    const { next } = limit.step([], 5_000, 10);
    expect(limit.step(next, 4_000, 1).decision).toMatchObject({ allowed: false, retryAfterMs: 1_100 });
    expect(limit.step(next, 5_100, 1).decision.allowed).toBe(true);
  });

  it('strict keeps every period within the limit, also one that begins with a full bucket', () => {
    const limit = tokenBucket({ limit: 10, periodMs: 1_000, strict: true });
    let state: readonly number[] = [];
    let taken = 0;
    for (let now = 0; now <= 1_000; now++) {
      const { decision, next } = limit.step(state, now, 1);
      if (decision.allowed) taken++;
      state = next;
    }
    expect(taken).toBe(10);
  });

  it.each([
    { limit: 10, burst: 8, parts: 4 },
    { limit: 10, burst: 9, parts: 3 },
    { limit: 4, burst: 3, parts: 4 },
    { limit: 100, burst: 50, parts: 7 },
  ])('strict stays strict when it is shared: $limit, $burst at once, in $parts parts', ({ limit, burst, parts }) => {
    const share = tokenBucket({ limit, periodMs: 1_000, burst, strict: true }).share(parts);
    let state: readonly number[] = [];
    let taken = 0;
    for (let now = 0; now < 1_000; now++) {
      const { decision, next } = share.step(state, now, 1);
      if (decision.allowed) taken++;
      state = next;
    }
    expect(taken).toBeGreaterThan(0);
    expect(taken * parts).toBeLessThanOrEqual(limit);
  });

  describe('cancelling a reservation, as in x/time/rate', () => {
    const limit = tokenBucket({ limit: 10, periodMs: 1_000, burst: 2 });
    const full = [0, 0];
    const reserve = (state: number[], now: number, cost: number): number => {
      const waitMs = limit.waitMs(state, 0, now, cost);
      limit.charge(state, 0, now, cost, undefined);
      return now + waitMs;
    };

    it.each([
      { title: 'gives all of it back when nothing was promised after it', after: 0, remaining: 2 },
      { title: 'keeps what was promised after it', after: 1, remaining: 1 },
    ])('$title', ({ after, remaining }) => {
      const state = [...full];
      reserve(state, 0, 2);
      const actAt = reserve(state, 0, 2);
      expect(actAt).toBe(200);
      if (after > 0) expect(reserve(state, 0, after)).toBe(300);
      limit.cancel(state, 0, 0, 2, actAt);
      expect(limit.look(state, 0, 200 + after * 100, 0).remaining).toBe(remaining);
    });

    it('in reverse order, gives back all except what was reserved in between', () => {
      const wide = tokenBucket({ limit: 10, periodMs: 1_000, burst: 6 });
      const state = [0, 0];
      const promise = (cost: number): number => {
        const waitMs = wide.waitMs(state, 0, 0, cost);
        wide.charge(state, 0, 0, cost, undefined);
        return waitMs;
      };
      const [, early, between, late] = [promise(6), promise(3), promise(1), promise(1)];
      expect([early, between, late]).toEqual([300, 400, 500]);
      wide.cancel(state, 0, 100, 1, late!);
      wide.cancel(state, 0, 100, 3, early!);
      // 11 were promised and 1 flowed back; 1 + 2 are given back, so that 7 are left, of which 6 are the burst.
      expect(wide.waitMs(state, 0, 100, 1)).toBe(200);
    });

    it('made under other parameters, gives back what it took', () => {
      const slow = tokenBucket({ limit: 4, periodMs: 1_000, burst: 2 });
      const before = [0, 0];
      slow.charge(before, 0, 0, 2, undefined);
      const actAt = slow.waitMs(before, 0, 0, 2);
      slow.charge(before, 0, 0, 2, undefined);
      expect(actAt).toBe(500);
      const fast = tokenBucket({ limit: 8, periodMs: 1_000, burst: 2 });
      const state = [0, 0];
      fast.inherit(before, 0, slow.parameters, state, 0, 250);
      expect(fast.waitMs(state, 0, 250, 1)).toBe(250);
      fast.cancel(state, 0, 250, 2, actAt);
      expect(fast.waitMs(state, 0, 250, 2)).toBe(125);
    });

    it('does nothing once it is due', () => {
      const state = [...full];
      reserve(state, 0, 2);
      const actAt = reserve(state, 0, 1);
      limit.cancel(state, 0, actAt + 1, 1, actAt);
      expect(limit.look(state, 0, actAt + 1, 0).remaining).toBe(0);
    });
  });

  it.each([
    [{ limit: 0, periodMs: 1_000 }, 'tokenBucket.limit'],
    [{ limit: 1.5, periodMs: 1_000 }, 'tokenBucket.limit'],
    [{ limit: 1, periodMs: 0 }, 'tokenBucket.periodMs'],
    [{ limit: 1, periodMs: Infinity }, 'tokenBucket.periodMs'],
    [{ limit: 1, periodMs: 1_000, burst: 0 }, 'tokenBucket.burst'],
    [{ limit: 10, periodMs: 1_000, burst: 10, strict: true }, 'tokenBucket.burst'],
    [{ limit: 1, periodMs: 1_000, strict: true }, 'tokenBucket.limit'],
    [{ limit: 1, periodMs: 1_000, name: 'a"b' }, 'tokenBucket.name'],
    [{ limit: 1, period: 1_000 }, 'tokenBucket.period'],
  ])('refuses %o', (options, path) => {
    expect(() => tokenBucket(options as never)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });
});
