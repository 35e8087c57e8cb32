import { currentWork, MacadamError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker/circuit-breaker.ts';
import { pipeline } from '../pipeline.ts';
import type { Outcome } from '../policy.ts';
import { concurrentRetryBudget } from '../retry/concurrent-retry-budget.ts';
import { constant } from '../retry/backoff.ts';
import { retryBudget, unlimitedRetries, type RetryBudget } from '../retry/retry-budget.ts';
import { retry } from '../retry/retry.ts';
import { routed } from '../routed.ts';
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

  it('sends no early hedge after a failure with retryAfterMs', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, clock });
    const refuses = async ({ attempt }: { attempt: number }): Promise<string> => {
      if (attempt === first) throw Object.assign(new Error('later'), { retryAfterMs: 1_000 });
      await clock.sleep(100);
      return `try ${attempt}`;
    };
    let first = 1;
    await expect(clock.runUntil(policy.execute(refuses, idempotent))).rejects.toThrow('later');
    expect(policy.stats()).toMatchObject({ hedges: 0, refused: 0 });
    first = 2;
    expect(await clock.runUntil(policy.execute(refuses, idempotent)), 'the other goes on').toBe('try 1');
    clock.assertNoTimers();
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

  it('passes calls without idempotent: true through', async () => {
    const clock = virtualClock();
    const task = tries(clock, [500, 5]);
    expect(await clock.runUntil(hedge({ delayMs: 50, maxExtraLoad: 1, clock }).execute(task.fn))).toBe('try 1');
    expect(task.startedAt).toEqual([0]);
  });

  it('sends at most maxExtraLoad, however slow everything is', async () => {
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

  it('failsafe-go #141: a budget that denies the hedge never fails the call', async () => {
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

  it('a circuit that rejects the hedge never fails the call', async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    const guarded = pipeline(hedge({ delayMs: 50, maxExtraLoad: 1, clock }), breaker);
    const task = tries(clock, [500, 5]);
    const call = guarded.execute(task.fn, idempotent);
    breaker.isolate();
    expect(await clock.runUntil(call)).toBe('try 1');
    expect(task.startedAt).toEqual([0]);
    await expect(guarded.execute(task.fn, idempotent)).rejects.toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    clock.assertNoTimers();
  });

  it('a hedge that isUnsent selects does not fail the call', async () => {
    const clock = virtualClock();
    const noToken = new MacadamError('no token', { code: 'MAC_TEST_TOKEN' });
    const isUnsent = (outcome: Outcome) => !outcome.ok && outcome.error === noToken;
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, isUnsent, clock });
    const call = (fails: readonly number[]) =>
      policy.execute(async ({ attempt }) => {
        if (fails.includes(attempt)) throw noToken;
        await clock.sleep(100);
        return `try ${attempt}`;
      }, idempotent);
    expect(await clock.runUntil(call([2]))).toBe('try 1');
    await expect(clock.runUntil(call([1]))).rejects.toBe(noToken);
    clock.assertNoTimers();
  });

  it('an abort while the hedge starts cancels that hedge', async () => {
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

  it('waits 500 ms until a hundred calls are measured, then the percentile, updated every 3 s', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 'p50', maxExtraLoad: 1, clock });
    const run = (ms: number, times: number): Promise<unknown> =>
      clock.runUntil(
        Promise.all(Array.from({ length: times }, () => policy.execute(() => clock.sleep(ms), idempotent))),
      );
    await run(20, 99);
    expect(policy.stats()).toMatchObject({ calls: 99, hedges: 0, delayMs: 500 });
    await clock.advance(3_000);
    expect(policy.stats(), 'ninety-nine are too few').toMatchObject({ delayMs: 500 });
    await run(20, 1);
    expect(policy.stats(), 'not yet').toMatchObject({ delayMs: 500 });
    await clock.advance(3_000);
    expect(policy.stats()['delayMs']).toBeCloseTo(20 * 1.0005, 6);
    await clock.advance(12_000);
    await run(10, 300);
    await clock.advance(3_000);
    expect(policy.stats()['delayMs'], 'the calls before weigh too').toBeCloseTo(10 * 1.0005, 6);
  });

  it('waits at least a millisecond, however fast the calls are', async () => {
    const clock = virtualClock();
    const policy = hedge({ clock });
    for (let i = 0; i < 100; i++) await policy.execute(() => 'at once', idempotent);
    await clock.advance(3_000);
    expect(policy.stats()).toMatchObject({ delayMs: 1 });
  });

  it('measures cancelled attempts with the time that they have taken', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 'p99', maxExtraLoad: 1, clock });
    for (let i = 0; i < 60; i++) await clock.runUntil(policy.execute(tries(clock, [900, 5]).fn, idempotent));
    await clock.advance(3_000);
    // The first tries were cut after 505 ms or less; their hedges took 5 ms.
    expect(policy.stats()['delayMs']).toBeGreaterThan(100);
  });

  it('counts a win only if a hedge succeeded first', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, clock });
    await clock.runUntil(policy.execute(tries(clock, [60, 500]).fn, idempotent));
    expect(policy.stats()).toEqual({ calls: 1, hedges: 1, wins: 0, refused: 0, delayMs: 50 });
    await clock.runUntil(policy.execute(tries(clock, [500, 5]).fn, idempotent));
    expect(policy.stats()).toEqual({ calls: 2, hedges: 2, wins: 1, refused: 0, delayMs: 50 });
  });

  it.each([
    { name: 'wins', takesMs: [500, 5] },
    { name: 'loses', takesMs: [60, 500] },
    { name: 'fails', takesMs: [60, -5] },
  ])('releases its grant once when the hedge $name', async ({ takesMs }) => {
    const clock = virtualClock();
    const budget = concurrentRetryBudget({ minConcurrent: 1 });
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, budget, clock });
    await clock.runUntil(policy.execute(tries(clock, takesMs).fn, idempotent));
    expect(budget.stats()).toMatchObject({ retries: 0, granted: 1, balance: 1 });
  });

  it('an abort releases the grant, and cancels both attempts with its reason', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const budget = concurrentRetryBudget({ minConcurrent: 1 });
    const task = tries(clock, [500, 500]);
    const call = hedge({ delayMs: 50, maxExtraLoad: 1, budget, clock }).execute(task.fn, {
      ...idempotent,
      signal: controller.signal,
    });
    const settled = Promise.allSettled([call]);
    await clock.advance(60);
    expect(budget.stats()).toMatchObject({ retries: 1 });
    controller.abort('left');
    expect(await settled).toEqual([{ status: 'rejected', reason: 'left' }]);
    expect(task.signals.map(({ reason }) => reason as unknown)).toEqual(['left', 'left']);
    expect(budget.stats()).toMatchObject({ retries: 0 });
    clock.assertNoTimers();
  });

  it('does not consult the shared budget when maxExtraLoad is exhausted', async () => {
    const clock = virtualClock();
    const budget = retryBudget({ ratio: 1, clock });
    const policy = hedge({ delayMs: 50, maxExtraLoad: 0.05, budget, clock });
    await clock.runUntil(policy.execute(tries(clock, [500, 5]).fn, idempotent));
    expect(policy.stats()).toMatchObject({ hedges: 0, refused: 1 });
    expect(budget.stats()).toMatchObject({ granted: 0, refused: 0 });
  });

  it('passes the outcome to isFatal; if that throws, the call fails with its error', async () => {
    const clock = virtualClock();
    const outcomes: unknown[] = [];
    const isFatal = (outcome: unknown): boolean => outcomes.push(outcome) > 1;
    const judged = hedge({ delayMs: 50, maxExtraLoad: 1, isFatal, clock });
    await expect(clock.runUntil(judged.execute(tries(clock, [-10, -20]).fn, idempotent))).rejects.toThrow('try 2');
    expect(outcomes).toMatchObject([
      { ok: false, attempt: 1, durationMs: 10 },
      { ok: false, attempt: 2, durationMs: 20 },
    ]);
    const bug = new RangeError('my bug');
    const buggy = hedge({
      delayMs: 50,
      maxExtraLoad: 1,
      clock,
      isFatal: () => {
        throw bug;
      },
    });
    const task = tries(clock, [60, -5]);
    await expect(clock.runUntil(buggy.execute(task.fn, idempotent))).rejects.toBe(bug);
    expect(task.signals[0]?.aborted).toBe(true);
    clock.assertNoTimers();
  });

  it('sends nothing after isFatal has aborted the call', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const budget = concurrentRetryBudget({ minConcurrent: 3 });
    const isFatal = (): boolean => {
      controller.abort('left');
      return false;
    };
    const policy = hedge({
      delayMs: 50,
      maxHedges: 2,
      maxExtraLoad: 1,
      budget,
      clock,
      isFatal,
    });
    // Earns the load that a further hedge would be.
    for (let i = 0; i < 5; i++) await policy.execute(() => 'ok', idempotent);
    const task = tries(clock, [60, -5, 500]);
    const call = policy.execute(task.fn, { ...idempotent, signal: controller.signal });
    await expect(clock.runUntil(call)).rejects.toBe('left');
    expect(task.startedAt).toEqual([0, 50]);
    expect(budget.stats()).toMatchObject({ calls: 0, retries: 0, granted: 1 });
    clock.assertNoTimers();
  });

  it('does not own retries: inside a hedge, a retry retries', async () => {
    const clock = virtualClock();
    let calls = 0;
    const inner = retry({ backoff: constant({ delayMs: 1 }), clock });
    const call = hedge({ delayMs: 50, clock }).execute(
      () => inner.execute(() => (++calls < 3 ? Promise.reject(new Error('down')) : 'ok')),
      idempotent,
    );
    expect(await clock.runUntil(call)).toBe('ok');
  });

  it('is granted the share of its calls that its budget allows, with a retry around it or none', async () => {
    const clock = virtualClock();
    const budgetOf = (): RetryBudget => retryBudget({ ratio: 0.2, minPerSecond: 0, clock });
    const [around, alone] = [budgetOf(), budgetOf()];
    const options = { delayMs: 50, maxExtraLoad: 1, clock };
    const retried = pipeline(retry({ budget: around, clock }), hedge({ ...options, budget: around }));
    const hedged = hedge({ ...options, budget: alone });
    for (const policy of [retried, hedged]) {
      for (let i = 0; i < 20; i++) {
        await clock.runUntil(policy.execute(tries(clock, [60, 500]).fn, idempotent));
      }
    }
    expect(around.stats()).toMatchObject({ granted: 4 });
    expect(alone.stats()).toMatchObject({ granted: 4 });
  });

  it('tells a budget that no retry tells about its calls', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const budget: RetryBudget = {
      ...unlimitedRetries,
      callStarted: (now) => void log.push(`call at ${now}`),
      callEnded: () => void log.push('end'),
      callSucceeded: (retries) => void log.push(`success ${retries}`),
      attemptFailed: () => void log.push('failure'),
      retryEnded: () => void log.push('retry ended'),
    };
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, budget, clock });
    await clock.runUntil(policy.execute(tries(clock, [10]).fn, idempotent));
    await clock.runUntil(policy.execute(tries(clock, [-10, 5]).fn, idempotent));
    await clock.runUntil(Promise.allSettled([policy.execute(tries(clock, [-10, -5]).fn, idempotent)]));
    expect(log.join(', ')).toBe(
      'call at 0, end, success 0, call at 10, failure, retry ended, end, success 1, ' +
        'call at 25, failure, retry ended, failure, end',
    );
  });

  it('a budget that throws becomes a warning, and the other calls keep their hedges', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const clock = virtualClock();
    const tryRetry = vi.fn<RetryBudget['tryRetry']>().mockReturnValue(true);
    tryRetry.mockImplementationOnce(() => {
      throw new Error('my bug');
    });
    const policy = hedge({ delayMs: 50, maxExtraLoad: 1, budget: { ...unlimitedRetries, tryRetry }, clock });
    const calls = [1, 2].map(() => policy.execute(tries(clock, [500, 5]).fn, idempotent));
    expect(await clock.runUntil(Promise.all(calls))).toEqual(['try 1', 'try 2']);
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it('sends three concurrent attempts with maxHedges 2', async () => {
    const clock = virtualClock();
    const policy = hedge({ delayMs: 50, maxHedges: 2, maxExtraLoad: 1, clock });
    await policy.execute(() => 'credit', idempotent);
    const task = tries(clock, [500, 500, 5]);
    expect(await clock.runUntil(policy.execute(task.fn, idempotent))).toBe('try 3');
    expect(task.startedAt).toEqual([0, 50, 100]);
  });

  it.each([
    { options: {}, words: 'hedge: up to 1 more after the live p95, for at most 5 % of calls, idempotent ones only' },
    {
      options: { delayMs: 'p99.9', maxHedges: 2, maxExtraLoad: 1 } as const,
      words: 'hedge: up to 2 more after the live p99.9, for at most 100 % of calls, idempotent ones only',
    },
    {
      options: { delayMs: 20 },
      words: 'hedge: up to 1 more after 20 ms, for at most 5 % of calls, idempotent ones only',
    },
  ])('describes: $words', ({ options, words }) => {
    expect(hedge(options).describe()).toBe(words);
  });

  it.each([
    { options: { delayMs: 0 }, path: 'hedge.delayMs' },
    { options: { delayMs: 'fast' }, path: 'hedge.delayMs' },
    { options: { maxHedges: 6 }, path: 'hedge.maxHedges' },
    { options: { maxExtraLoad: 0 }, path: 'hedge.maxExtraLoad' },
    { options: { delay: 5 }, path: 'hedge.delay' },
    { options: null, path: 'hedge' },
    { options: { delayMs: 'p49' }, path: 'hedge.delayMs' },
    { options: { delayMs: 'p100' }, path: 'hedge.delayMs' },
    { options: { delayMs: 'xp95' }, path: 'hedge.delayMs' },
    { options: { delayMs: 'p95ms' }, path: 'hedge.delayMs' },
    { options: { maxHedges: 0 }, path: 'hedge.maxHedges' },
    { options: { maxExtraLoad: 1.1 }, path: 'hedge.maxExtraLoad' },
    { options: { isFatal: true }, path: 'hedge.isFatal' },
    { options: { budget: null }, path: 'hedge.budget' },
    { options: { budget: 0.2 }, path: 'hedge.budget' },
    { options: { budget: { tryRetry: () => true } }, path: 'hedge.budget' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => hedge(options as never)).toThrow(expect.objectContaining({ path }));
  });

  it.each([30_000, 3_600_000])(
    'begins again with the delay of nothing measured, after idling for %d ms',
    async (idleMs) => {
      const clock = virtualClock();
      const policy = hedge({ maxExtraLoad: 1, clock });
      for (let call = 0; call < 100; call++) {
        await clock.runUntil(policy.execute(() => clock.sleep(10), idempotent));
      }
      await clock.advance(idleMs);
      const startedAt: number[] = [];
      const slow = policy.execute(async ({ attempt }) => {
        startedAt.push(clock.monotonic());
        await clock.sleep(attempt === 1 ? 60_000 : 5);
      }, idempotent);
      await clock.runUntil(slow);
      expect(startedAt[1]).toBe((startedAt[0] as number) + 500);
      expect(policy.stats()).toMatchObject({ hedges: 1, wins: 1, delayMs: 500 });
    },
  );

  it.each([
    { cause: 'the delay', takesMs: [50, 5] },
    { cause: 'a failure', takesMs: [-5, 5] },
  ])('starts a hedge after $cause in the context of the caller, also for the layers inside', async ({ takesMs }) => {
    const clock = virtualClock();
    const seen: unknown[] = [];
    const next = (attempt: number): undefined => void seen.push([attempt, currentWork()?.tenant]);
    const guarded = pipeline(hedge({ delayMs: 10, maxExtraLoad: 1, clock }), routed({ clock }));
    const { fn } = tries(clock, takesMs);
    const call = runWork({ tenant: 'acme' }, () => guarded.execute(fn, { ...idempotent, route: { next } }));
    expect(await clock.runUntil(call)).toBe('try 2');
    expect(seen).toEqual([1, 2].map((attempt) => [attempt, 'acme']));
  });

  it.each([
    ['throws', throwing],
    ['returns', () => 'after that'],
  ])('releases the budget once when a hedge cancels its call as it starts, and then %s', async (_how, end) => {
    const clock = virtualClock();
    const budget = concurrentRetryBudget();
    const controller = new AbortController();
    const answer = hedge({ delayMs: 10, maxExtraLoad: 1, budget, clock }).execute(
      ({ attempt }) => {
        if (attempt === 1) return new Promise(() => {});
        controller.abort('by itself');
        return end();
      },
      { idempotent: true, signal: controller.signal },
    );
    await expect(clock.runUntil(answer)).rejects.toBe('by itself');
    expect(budget.stats()).toMatchObject({ granted: 1, retries: 0 });
    clock.assertNoTimers();
  });
});

function throwing(): never {
  throw new Error('after that');
}
