import { describe, expect, it } from 'vitest';
import { concurrency } from './concurrency.ts';
import { fixedWindow } from './fixed-window.ts';
import type { Limit } from './limit.ts';
import { slidingLog } from './sliding-log.ts';
import { slidingWindow } from './sliding-window.ts';

/** [now, cost, allowed, remaining, retryAfterMs, resetAfterMs] */
type Row = readonly [number, number, boolean, number, number, number];

function run(limit: Limit, rows: readonly Row[]): void {
  let state: readonly number[] = [];
  rows.forEach(([now, cost, allowed, remaining, retryAfterMs, resetAfterMs], i) => {
    const { decision, next } = limit.step(state, now, cost);
    const expected = { allowed, limit: limit.limit, remaining, retryAfterMs, resetAfterMs };
    expect(decision, `step ${i + 1}`).toEqual(expected);
    state = next;
  });
}

describe('fixedWindow', () => {
  it('starts a window with the first request, and resets at its end', () => {
    run(fixedWindow({ limit: 3, periodMs: 1_000 }), [
      [100, 0, true, 3, 0, 0],
      [100, 2, true, 1, 0, 1_000],
      [600, 2, false, 1, 500, 500],
      [600, 1, true, 0, 0, 500],
      [1_099, 1, false, 0, 1, 1],
      [1_100, 3, true, 0, 0, 1_000],
      [1_200, 4, false, 0, Infinity, 900],
    ]);
  });

  it('rate-limit-redis #209: a request at the very end of a window belongs to the next one', () => {
    const limit = fixedWindow({ limit: 1, periodMs: 1_000 });
    const { next } = limit.step([], 0, 1);
    expect(limit.step(next, 999.99, 1).decision.allowed).toBe(false);
    expect(limit.step(next, 1_000, 1).decision.allowed).toBe(true);
  });

  it('express-rate-limit 8.6: a refund never reaches a newer window', () => {
    const limit = fixedWindow({ limit: 3, periodMs: 1_000 });
    const state = [0, 0];
    limit.commit(state, 0, 0, 3, 0);
    limit.commit(state, 0, 1_000, 2, 0);
    limit.charge(state, 0, 1_000, -3, 0);
    expect(limit.look(state, 0, 1_000, 0).remaining).toBe(1);
    limit.charge(state, 0, 1_000, -3, 1_000);
    expect(limit.look(state, 0, 1_000, 0).remaining).toBe(3);
  });
});

describe('slidingWindow', () => {
  it('conservative counts the oldest cell in full', () => {
    run(slidingWindow({ limit: 10, periodMs: 1_000 }), [
      [990, 10, true, 0, 0, 1_010],
      [1_010, 1, false, 0, 990, 990],
      [1_999, 1, false, 0, 1, 1],
      [2_000, 1, true, 9, 0, 1_100],
    ]);
  });

  it('interpolated weighs the oldest cell: with one cell, it is the two-counter window of Cloudflare', () => {
    run(slidingWindow({ limit: 10, periodMs: 1_000, cells: 1, mode: 'interpolated' }), [
      [500, 10, true, 0, 0, 1_500],
      [1_000, 1, false, 0, 100, 1_000],
      [1_099, 1, false, 0, 1, 901],
      [1_100, 1, true, 0, 0, 1_900],
      [1_500, 4, true, 0, 0, 1_500],
      [1_500, 5, false, 0, 500, 1_500],
      [2_000, 5, true, 0, 0, 2_000],
    ]);
  });

  it('interpolated: a wait for all of the oldest cell ends when the cell has left the window', () => {
    run(slidingWindow({ limit: 6, periodMs: 2_000, cells: 2, mode: 'interpolated' }), [
      [0.9995, 6, true, 0, 0, 2_999],
      [0.9995, 6, false, 0, 2_999, 2_999],
      [2_999.9995, 6, true, 0, 0, 3_000],
    ]);
  });

  it('rounds cells up when they do not divide the period', () => {
    const limit = slidingWindow({ limit: 1, periodMs: 1_000, cells: 60 });
    expect(limit.parameters).toEqual([1, 17, 60, 0]);
  });

  it('is empty after a long pause', () => {
    const limit = slidingWindow({ limit: 5, periodMs: 100 });
    const { next } = limit.step([], 0, 5);
    expect(limit.step(next, 1e9, 5).decision.allowed).toBe(true);
  });

  it('refunds the cell from which the tokens were taken, else the oldest', () => {
    const limit = slidingWindow({ limit: 4, periodMs: 1_000 });
    const state = new Array<number>(limit.width).fill(0);
    limit.commit(state, 0, 50, 2, 0);
    limit.commit(state, 0, 950, 2, 0);
    const blind = [...state];
    limit.charge(state, 0, 960, -2, 950);
    expect(limit.look(state, 0, 1_200, 0).remaining).toBe(4);
    limit.charge(blind, 0, 960, -2, undefined);
    expect(limit.look(blind, 0, 1_200, 0).remaining).toBe(2);
  });
});

describe('slidingLog', () => {
  it('frees each token exactly a period after it was taken', () => {
    run(slidingLog({ limit: 3, periodMs: 1_000 }), [
      [0, 1, true, 2, 0, 1_000],
      [400, 2, true, 0, 0, 1_000],
      [500, 1, false, 0, 500, 900],
      [500, 3, false, 0, 900, 900],
      [1_000, 1, true, 0, 0, 1_000],
      [1_399, 2, false, 0, 1, 601],
      [1_400, 2, true, 0, 0, 1_000],
    ]);
  });

  it('keeps one entry for all requests at the same time', () => {
    const limit = slidingLog({ limit: 1_000, periodMs: 1_000 });
    let state: readonly number[] = [];
    for (let i = 0; i < 1_000; i++) state = limit.step(state, 5, 1).next;
    expect(state).toEqual([5, 1_000]);
  });

  it('forgets what was refunded, and what has expired', () => {
    const limit = slidingLog({ limit: 5, periodMs: 1_000 });
    const state: number[] = [];
    for (let now = 0; now < 5; now++) limit.commit(state, 0, now, now === 4 ? 0.3 : 1, 0);
    limit.charge(state, 0, 5, -0.1, 4);
    limit.charge(state, 0, 5, -0.2, 4);
    limit.charge(state, 0, 5, -1, 1);
    expect(state).toEqual([0, 1, 2, 1, 3, 1]);
    expect(limit.expiresAt(state, 0)).toBe(1_003);
    expect(limit.look(state, 0, 5, 0).resetAfterMs).toBe(998);
    limit.charge(state, 0, 1_000, -1, 3);
    expect(state).toEqual([2, 1]);
    limit.charge(state, 0, 1_000, -1, undefined);
    expect(state).toEqual([]);
  });

  it('remembers at most a thousand moments, and never allows more for it', () => {
    const limit = slidingLog({ limit: 5, periodMs: 10_000 });
    const state: number[] = [];
    let taken = 0;
    for (let now = 0; now < 10_000; now++) {
      if (!limit.look(state, 0, now, 0.004).allowed) continue;
      limit.commit(state, 0, now, 0.004, 0);
      taken += 0.004;
    }
    expect(state).toHaveLength(2_000);
    expect(taken).toBeCloseTo(5);
    // The time of the latest has moved on with each that found no room.
    expect(limit.look(state, 0, 10_998, 5)).toMatchObject({ allowed: false, remaining: 3, retryAfterMs: 251 });
    for (let i = 0; i < 5_000; i++) limit.charge(state, 0, 20_000 + i, 1, undefined);
    expect(state).toHaveLength(2_000);
  });
});

describe('concurrency', () => {
  it('bottleneck #194: the permit of a crashed holder is free after permitTtlMs', () => {
    const limit = concurrency({ limit: 1, permitTtlMs: 30_000 });
    const state: number[] = [];
    limit.commit(state, 0, 0, 1, 7);
    expect(limit.look(state, 0, 29_999, 1)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect(limit.look(state, 0, 30_000, 1).allowed).toBe(true);
  });

  it('release ends only the given permit, and only once', () => {
    const limit = concurrency({ limit: 2 });
    const state: number[] = [];
    limit.commit(state, 0, 0, 1, 7);
    limit.commit(state, 0, 0, 1, 8);
    expect(limit.release(state, 0, 0, 9)).toBe(false);
    expect(limit.release(state, 0, 0, 7)).toBe(true);
    expect(limit.release(state, 0, 0, 7)).toBe(false);
    expect(limit.look(state, 0, 0, 0).remaining).toBe(1);
    expect(limit.release(state, 0, 30_000, 8)).toBe(false);
  });

  it('renew extends a permit from now; an expired permit cannot be renewed', () => {
    const limit = concurrency({ limit: 1, permitTtlMs: 100 });
    const state: number[] = [];
    limit.commit(state, 0, 0, 1, 7);
    expect(limit.renew(state, 0, 60, 7)).toBe(true);
    expect(limit.look(state, 0, 159, 1).allowed).toBe(false);
    expect(limit.renew(state, 0, 160, 7)).toBe(false);
  });
});
