import { MacadamError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker/circuit-breaker.ts';
import { pipeline } from '../pipeline.ts';
import { retryBudget } from '../retry/retry-budget.ts';
import { timeout } from '../timeout.ts';
import { hedge } from './hedge.ts';

const idempotent = { idempotent: true } as const;

/** Tries that take so long each, and fail when the time is negative. */
function tries(clock: ReturnType<typeof virtualClock>, takesMs: readonly number[]) {
  const startedAt: number[] = [];
  const signals: AbortSignal[] = [];
  const fn = async ({ attempt, signal }: { attempt: number; signal: AbortSignal }): Promise<string> => {
    startedAt.push(clock.monotonic());
    signals.push(signal);
    const ms = takesMs[attempt - 1] ?? 0;
    await clock.sleep(Math.abs(ms), signal);
    if (ms < 0) throw new Error(`try ${attempt} failed`);
    return `try ${attempt}`;
  };
  return { fn, startedAt, signals };
}

describe('hedge', () => {
  it.each([
    { name: 'sends nothing while the first is in time', takesMs: [40, 5], value: 'try 1', startedAt: [0], endsAt: 40 },
    {
      name: 'takes the second when it answers first',
      takesMs: [500, 5],
      value: 'try 2',
      startedAt: [0, 50],
      endsAt: 55,
    },
    { name: 'takes the first when it still wins', takesMs: [60, 500], value: 'try 1', startedAt: [0, 50], endsAt: 60 },
    {
      name: 'gRPC A6: an early failure sends the next at once',
      takesMs: [-10, 5],
      value: 'try 2',
      startedAt: [0, 10],
      endsAt: 15,
    },
    {
      name: 'waits for the other when one fails',
      takesMs: [100, -10],
      value: 'try 1',
      startedAt: [0, 50],
      endsAt: 100,
    },
  ])('$name', async ({ takesMs, value, startedAt, endsAt }) => {
    const clock = virtualClock();
    const task = tries(clock, takesMs);
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, clock });
    expect(await clock.runUntil(policy.execute(task.fn, idempotent))).toBe(value);
    expect(task.startedAt).toEqual(startedAt);
    expect(clock.monotonic()).toBe(endsAt);
    const winner = Number(value.slice(4)) - 1;
    for (const [i, signal] of task.signals.entries()) {
      const failed = (takesMs[i] as number) < 0;
      expect(signal.aborted, `try ${i + 1}`).toBe(i !== winner && !failed);
    }
    clock.assertNoTimers();
  });

  it('fails with the last failure when all have failed', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 50, maxHedges: 2, maxExtraLoad: 1, clock });
    // A hedge for each call at most: two need the credit of another call.
    await policy.execute(() => 'credit', idempotent);
    const call = policy.execute(tries(clock, [-10, -10, -10]).fn, idempotent);
    await expect(clock.runUntil(call)).rejects.toThrow('try 3 failed');
    expect(clock.monotonic()).toBe(30);
  });

  it('a fatal failure ends the call at once, and cancels the others', async () => {
    const clock = virtualClock();
    let cancelled = false;
    const call = hedge({ delayMs: 50, maxExtraLoad: 1, clock }).execute(async (context) => {
      if (context.attempt === 2) throw new MacadamError('wrong', { code: 'MAC_WRONG' });
      context.onCancel(() => (cancelled = true));
      return clock.sleep(10_000, context.signal);
    }, idempotent);
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_WRONG' });
    expect(clock.monotonic()).toBe(50);
    expect(cancelled).toBe(true);
  });

  it('does nothing for a call that is not declared idempotent', async () => {
    const clock = virtualClock();
    const task = tries(clock, [500, 5]);
    expect(await clock.runUntil(hedge({ delayMs: 50, clock }).execute(task.fn))).toBe('try 1');
    expect(task.startedAt).toEqual([0]);
  });

  it('sends at most its share of extra load, however slow everything is', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 10, maxExtraLoad: 0.05, clock });
    let sent = 0;
    const calls = Array.from({ length: 1_000 }, () =>
      policy.execute(async () => {
        sent++;
        await clock.sleep(1_000);
      }, idempotent),
    );
    await clock.runUntil(Promise.all(calls));
    expect(sent).toBeGreaterThan(1_000);
    expect(sent).toBeLessThanOrEqual(1_050 + 1);
  });

  it('failsafe-go #141: a budget that refuses the hedge never fails the call', async () => {
    const clock = virtualClock();
    const budget = retryBudget({ ratio: 0, minPerSecond: 0, clock });
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, budget, clock });
    expect(await clock.runUntil(policy.execute(tries(clock, [500, 5]).fn, idempotent))).toBe('try 1');
    expect(policy.stats()).toMatchObject({ hedges: 0, refused: 1 });
  });

  it('losers are neutral to a circuit breaker inside', async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    const guarded = pipeline(hedge({ delayMs: 50, maxExtraLoad: 1, clock }), breaker);
    for (let i = 0; i < 10; i++) await clock.runUntil(guarded.execute(tries(clock, [500, 5]).fn, idempotent));
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 0, successes: 10, neutral: 10 });
  });

  it('a caller who leaves while the hedge is starting still reaches that hedge', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const limit = timeout({ timeoutMs: 5_000, clock });
    const told = vi.fn();
    const call = pipeline(hedge({ delayMs: 50, maxExtraLoad: 1, clock }), limit).execute(
      (context) => {
        if (context.attempt === 2) {
          context.onCancel(told);
          controller.abort('stop');
        }
        return new Promise<never>(() => {});
      },
      { ...idempotent, signal: controller.signal },
    );
    await expect(clock.runUntil(call)).rejects.toBe('stop');
    expect(told).toHaveBeenCalledWith('stop');
    expect(limit.stats()).toMatchObject({ inFlight: 0 });
    clock.assertNoTimers();
  });

  it.each([
    { options: { delayMs: 0 }, path: 'hedge.delayMs' },
    { options: { delayMs: 'fast' }, path: 'hedge.delayMs' },
    { options: { maxHedges: 6 }, path: 'hedge.maxHedges' },
    { options: { maxExtraLoad: 0 }, path: 'hedge.maxExtraLoad' },
    { options: { delay: 5 }, path: 'hedge.delay' },
  ])('refuses $options', ({ options, path }) => {
    expect(() => hedge(options as never)).toThrow(expect.objectContaining({ path }));
  });
});
