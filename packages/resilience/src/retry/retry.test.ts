import { getEventListeners, once } from 'node:events';
import { MacadamError, retriesOwnedUpstream, runWork, TimeoutError } from '@macadam/core';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { AttemptsExhaustedError, CircuitOpenError } from '../errors.ts';
import { fallback } from '../fallback.ts';
import { paced } from '../paced.ts';
import { pipeline } from '../pipeline.ts';
import { singleFlight } from '../single-flight.ts';
import { timeout } from '../timeout.ts';
import { constant } from './backoff.ts';
import type { RetryOptions } from './options.ts';
import { retryBudget } from './retry-budget.ts';
import { retry } from './retry.ts';

/** What Node's own functions make of a time limit. */
const overdue: unknown = await once(new EventTarget(), 'never', {
  signal: AbortSignal.abort(new DOMException('late', 'TimeoutError')),
}).catch((error: unknown) => error);

/** Settles the call in virtual time and tells how it ended, and when. */
async function outcomeOf(clock: VirtualClock, call: Promise<unknown>) {
  const [settled] = await clock.runUntil(Promise.allSettled([call]));
  const atMs = clock.monotonic();
  clock.assertNoTimers();
  return settled.status === 'fulfilled'
    ? { value: settled.value, error: undefined, atMs }
    : { value: undefined, error: settled.reason as unknown, atMs };
}

/** A function that fails as told, and notes when it was called. */
function failing(clock: VirtualClock, errors: readonly unknown[]) {
  const startedAt: number[] = [];
  const fn = (): Promise<string> => {
    startedAt.push(clock.monotonic());
    const error = errors[startedAt.length - 1];
    return startedAt.length <= errors.length ? Promise.reject(error as Error) : Promise.resolve('ok');
  };
  return { fn, startedAt };
}

const without = { budget: false, backoff: constant({ delayMs: 100 }) } as const;

describe('retry', () => {
  it.each([
    { name: 'succeeds at once', failures: 0, startedAt: [0], value: 'ok' },
    { name: 'succeeds at the second try', failures: 1, startedAt: [0, 100], value: 'ok' },
    { name: 'succeeds at the last try', failures: 2, startedAt: [0, 100, 200], value: 'ok' },
    { name: 'gives up after three', failures: 3, startedAt: [0, 100, 200], value: undefined },
  ])('$name', async ({ failures, startedAt, value }) => {
    const clock = virtualClock();
    const task = failing(
      clock,
      Array.from({ length: failures }, () => new Error('down')),
    );
    const outcome = await outcomeOf(clock, retry({ ...without, clock }).execute(task.fn));
    expect(task.startedAt).toEqual(startedAt);
    expect(outcome.value).toBe(value);
  });

  it('gives up with the last failure as cause, and all attempts in order', async () => {
    const clock = virtualClock();
    const errors = [new Error('one'), new Error('two'), new Error('three')];
    const { error } = await outcomeOf(clock, retry({ ...without, clock }).execute(failing(clock, errors).fn));
    expect(error).toBeInstanceOf(AttemptsExhaustedError);
    expect(error).toMatchObject({ code: 'MAC_ATTEMPTS_EXHAUSTED', reason: 'maxAttempts', retryable: false });
    expect((error as AttemptsExhaustedError).cause).toBe(errors[2]);
    expect((error as AttemptsExhaustedError).attempts).toEqual([
      { attempt: 1, startedAtMs: 0, durationMs: 0, waitedMs: 0, error: errors[0] },
      { attempt: 2, startedAtMs: 100, durationMs: 0, waitedMs: 100, error: errors[1] },
      { attempt: 3, startedAtMs: 200, durationMs: 0, waitedMs: 100, error: errors[2] },
    ]);
  });

  it('waits like the AWS SDKs of 2026 by default, with maximum jitter', async () => {
    const clock = virtualClock();
    const task = failing(
      clock,
      Array.from({ length: 4 }, () => new Error('500')),
    );
    await outcomeOf(clock, retry({ maxAttempts: 5, clock, random: () => 1, budget: false }).execute(task.fn));
    expect(task.startedAt).toEqual([0, 50, 150, 350, 750]);
  });

  it('waits from one second on after throttling', async () => {
    const clock = virtualClock();
    const throttled = Object.assign(new Error('429'), { retryAfterMs: 0 });
    const task = failing(clock, [throttled, throttled]);
    await outcomeOf(clock, retry({ clock, random: () => 1, budget: false }).execute(task.fn));
    expect(task.startedAt).toEqual([0, 1_000, 3_000]);
  });

  it.each([
    { name: 'an Error', error: new Error('down'), tries: 3 },
    { name: 'one of ours that may pass', error: new TimeoutError('slow', 5), tries: 3 },
    { name: 'one of ours that will not', error: new MacadamError('no', { code: 'MAC_X' }), tries: 1 },
    { name: 'an open circuit', error: new CircuitOpenError('db', 'open', 500), tries: 1 },
    { name: 'an abort', error: new DOMException('aborted', 'AbortError'), tries: 1 },
    { name: "a time limit as Node's own functions tell it", error: overdue, tries: 3 },
    { name: 'undefined', error: undefined, tries: 3 },
    { name: 'a string', error: 'down', tries: 3 },
    { name: 'null', error: null, tries: 3 },
    { name: 'an object that cannot be a string', error: Object.create(null) as unknown, tries: 3 },
  ])('makes $tries attempts on $name, and preserves its identity', async ({ error, tries }) => {
    const clock = virtualClock();
    const task = failing(clock, [error, error, error]);
    const outcome = await outcomeOf(clock, retry({ ...without, clock }).execute(task.fn));
    expect(task.startedAt).toHaveLength(tries);
    if (tries === 1) expect(outcome.error).toBe(error);
    else
      expect((outcome.error as AttemptsExhaustedError).attempts.map((one) => one.error)).toEqual([error, error, error]);
    if (tries === 3) expect((outcome.error as AttemptsExhaustedError).cause).toBe(error);
  });

  it('passes the failure on unchanged with maxAttempts 1', async () => {
    const clock = virtualClock();
    const error = new Error('down');
    const outcome = await outcomeOf(clock, retry({ maxAttempts: 1, clock }).execute(failing(clock, [error]).fn));
    expect(outcome.error).toBe(error);
  });

  it('retries values that retryIf selects, and returns the last one unchanged', async () => {
    const clock = virtualClock();
    let n = 0;
    const policy = retry({ ...without, clock, retryIf: (one) => one.ok && one.value !== 4 });
    expect(
      await outcomeOf(
        clock,
        policy.execute(() => ++n),
      ),
    ).toMatchObject({ value: 3, atMs: 200 });
    expect(
      await outcomeOf(
        clock,
        policy.execute(() => ++n),
      ),
    ).toMatchObject({ value: 4 });
    expect(policy.stats()).toMatchObject({ calls: 2, retries: 2, gaveUp: { maxAttempts: 1 } });
  });

  it.each<{ name: string; options: RetryOptions; error: unknown }>([
    {
      name: 'retryIf',
      options: {
        retryIf: () => {
          throw new RangeError('my bug');
        },
      },
      error: new RangeError('my bug'),
    },
    {
      name: 'backoff',
      options: {
        backoff: () => {
          throw new RangeError('my bug');
        },
      },
      error: new RangeError('my bug'),
    },
    {
      name: 'retryAfterMs',
      options: {
        retryAfterMs: () => {
          throw new RangeError('my bug');
        },
      },
      error: new RangeError('my bug'),
    },
    { name: 'a backoff of NaN', options: { backoff: () => Number.NaN }, error: { path: 'retry.backoff()' } },
    { name: 'a negative backoff', options: { backoff: () => -1 }, error: { path: 'retry.backoff()' } },
  ])('a throwing $name ends the call with that error', async ({ options, error }) => {
    const clock = virtualClock();
    const task = failing(clock, [new Error('down')]);
    const outcome = await outcomeOf(clock, retry({ clock, ...options }).execute(task.fn));
    expect(outcome.error).toMatchObject(error as object);
    expect(task.startedAt).toEqual([0]);
  });

  it('gives up without waiting when the budget denies the retry', async () => {
    const clock = virtualClock();
    const budget = retryBudget({ ratio: 0, minPerSecond: 0.1, clock });
    const policy = retry({ clock, budget, backoff: constant({ delayMs: 100 }) });
    const call = () => policy.execute(failing(clock, [new Error('1'), new Error('2'), new Error('3')]).fn);
    expect(await outcomeOf(clock, call())).toMatchObject({ error: { reason: 'budget', retryable: true }, atMs: 100 });
    expect(await outcomeOf(clock, call())).toMatchObject({ error: { reason: 'budget', attempts: [{}] }, atMs: 100 });
    expect(policy.stats()).toMatchObject({ retries: 1, gaveUp: { budget: 2 }, budget: { granted: 1, refused: 2 } });
  });

  it.each([
    { options: { maxAttempts: 0 }, path: 'retry.maxAttempts' },
    { options: { maxAttempts: 1.5 }, path: 'retry.maxAttempts' },
    { options: { backoff: 100 }, path: 'retry.backoff' },
    { options: { budget: 0.2 }, path: 'retry.budget' },
    { options: { budget: { tryRetry: () => true } }, path: 'retry.budget' },
    { options: { budget: null }, path: 'retry.budget' },
    { options: { throttledBaseMs: -1 }, path: 'retry.throttledBaseMs' },
    { options: { maxRetryAfterMs: Number.NaN }, path: 'retry.maxRetryAfterMs' },
    { options: { retries: 3 }, path: 'retry.retries' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => retry(options as never)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });
});

describe('Retry-After', () => {
  const asking = (retryAfterMs: unknown): Error => Object.assign(new Error('busy'), { retryAfterMs });

  it.each([
    { name: 'is a floor under the backoff', asksMs: 700, backoffMs: 100, startedAt: [0, 700] },
    { name: 'does not shorten the backoff', asksMs: 100, backoffMs: 700, startedAt: [0, 700] },
    { name: 'may be as long as allowed', asksMs: 60_000, backoffMs: 0, startedAt: [0, 60_000] },
    { name: 'that is negative is none', asksMs: -5, backoffMs: 100, startedAt: [0, 100] },
    { name: 'that is not a number is none', asksMs: Number.NaN, backoffMs: 100, startedAt: [0, 100] },
    { name: 'that is a string is none', asksMs: '700', backoffMs: 100, startedAt: [0, 100] },
  ])('$name', async ({ asksMs, backoffMs, startedAt }) => {
    const clock = virtualClock();
    const task = failing(clock, [asking(asksMs)]);
    const backoff = constant({ delayMs: backoffMs });
    const policy = retry({ clock, budget: false, backoff, throttledBaseMs: 0 });
    await outcomeOf(clock, policy.execute(task.fn));
    expect(task.startedAt).toEqual(startedAt);
  });

  it('ignores NaN from a custom retryAfterMs', async () => {
    const clock = virtualClock();
    const task = failing(clock, [new Error('down')]);
    await outcomeOf(clock, retry({ ...without, clock, retryAfterMs: () => Number.NaN }).execute(task.fn));
    expect(task.startedAt).toEqual([0, 100]);
  });

  it.each([60_001, 2 ** 31 - 1, 2 ** 31, 2_147_484_000, 9_999_999_999_000, 1e12, Infinity])(
    'of %d ms ends the call at once, and says how long',
    async (asksMs) => {
      const clock = virtualClock();
      const task = failing(clock, [asking(asksMs)]);
      const outcome = await outcomeOf(clock, retry({ clock }).execute(task.fn));
      expect(outcome).toMatchObject({ error: { reason: 'retryAfterTooLong', retryAfterMs: asksMs }, atMs: 0 });
      expect(task.startedAt).toEqual([0]);
    },
  );

  it('waits in full for more than 2^31 ms when that is allowed', async () => {
    const clock = virtualClock();
    const task = failing(clock, [asking(2 ** 31 + 5)]);
    const policy = retry({ clock, budget: false, maxRetryAfterMs: Infinity, random: () => 0 });
    await clock.runUntil(policy.execute(task.fn), { limitMs: Infinity });
    expect(task.startedAt).toEqual([0, 2 ** 31 + 5]);
  });

  it('beyond the time left ends the call at once', async () => {
    const clock = virtualClock();
    const guarded = pipeline(timeout({ timeoutMs: 2_000, clock }), retry({ clock, budget: false, random: () => 0 }));
    const task = failing(clock, [asking(2_001)]);
    expect(await outcomeOf(clock, guarded.execute(task.fn))).toMatchObject({
      error: { reason: 'retryAfterTooLong', retryAfterMs: 2_001 },
      atMs: 0,
    });
  });

  it('is on the error also when no attempt is left', async () => {
    const clock = virtualClock();
    const policy = retry({ clock, budget: false, maxAttempts: 2, random: () => 0 });
    const { error } = await outcomeOf(clock, policy.execute(failing(clock, [asking(5), asking(7)]).fn));
    expect(error).toMatchObject({ reason: 'maxAttempts', retryAfterMs: 7 });
  });
});

describe('abort', () => {
  it('during a wait rejects in the same tick with the reason, and makes no further attempt', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const task = failing(clock, [new Error('down')]);
    const call = retry({ ...without, clock }).execute(task.fn, { signal: controller.signal });
    const seen = vi.fn();
    call.catch(seen);
    await clock.advance(50);
    controller.abort('stop');
    clock.assertNoTimers();
    await Promise.resolve();
    expect(seen).toHaveBeenCalledWith('stop');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    await clock.advance(10_000);
    expect(task.startedAt).toEqual([0]);
  });

  it('during a later attempt cancels that attempt, and rejects at once', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const call = retry({ ...without, clock }).execute(
      (context) => {
        if (context.attempt === 1) throw new Error('down');
        ({ signal } = context);
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    );
    const outcome = Promise.allSettled([call]);
    await clock.advance(100);
    expect(signal?.aborted).toBe(false);
    controller.abort('stop');
    expect(signal).toMatchObject({ aborted: true, reason: 'stop' });
    expect(await outcome).toEqual([{ status: 'rejected', reason: 'stop' }]);
  });

  it('by the function itself, while a later attempt starts, cancels that attempt', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const told = vi.fn();
    const inner = timeout({ timeoutMs: 5_000, clock });
    const call = pipeline(retry({ ...without, clock }), inner).execute(
      (context) => {
        if (context.attempt === 1) throw new Error('down');
        context.onCancel(told);
        controller.abort('stop');
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    );
    await expect(clock.runUntil(call)).rejects.toBe('stop');
    expect(told).toHaveBeenCalledWith('stop');
    expect(inner.stats()).toMatchObject({ inFlight: 0 });
    clock.assertNoTimers();
  });
});

describe('retries owned upstream', () => {
  it('HKUDS/nanobot #2760, duckdb PR #25507: three inside of three are three, not nine, also after an await', async () => {
    const clock = virtualClock();
    const inner = retry({ ...without, clock });
    const task = failing(
      clock,
      Array.from({ length: 9 }, (_, i) => new Error(`${i}`)),
    );
    const outer = retry({ ...without, clock });
    const call = outer.execute(async () => {
      await Promise.resolve();
      expect(retriesOwnedUpstream()).toBe(true);
      return inner.execute(task.fn);
    });
    const { error } = await outcomeOf(clock, call);
    expect(task.startedAt).toEqual([0, 100, 200]);
    // The inner one passes its failure on as it is, so that the outer one can judge it.
    expect((error as AttemptsExhaustedError).attempts.map((one) => (one.error as Error).message)).toEqual([
      '0',
      '1',
      '2',
    ]);
    expect(inner.stats()).toMatchObject({ calls: 3, retries: 0 });
    expect(retriesOwnedUpstream()).toBe(false);
  });

  it('a retry of one attempt owns nothing, so the inner one retries', async () => {
    const clock = virtualClock();
    const task = failing(clock, [new Error('1'), new Error('2')]);
    const call = retry({ clock, maxAttempts: 1 }).execute(() => retry({ ...without, clock }).execute(task.fn));
    expect(await outcomeOf(clock, call)).toMatchObject({ value: 'ok' });
  });

  it('what a retried call leaves running retries for itself once that call has settled', async () => {
    const clock = virtualClock();
    const consumer = retry({ ...without, clock });
    const tasks = [1, 2].map(() => failing(clock, [new Error('1'), new Error('2')]));
    const results: Promise<string>[] = [];
    const consume = async (): Promise<void> => {
      for (const { fn } of tasks) {
        await clock.sleep(1_000);
        results.push(consumer.execute(fn));
      }
    };
    const subscribe = (): string => {
      void consume();
      return 'subscribed';
    };
    expect(await retry({ ...without, clock }).execute(subscribe)).toBe('subscribed');
    await clock.advance(3_000);
    expect(await Promise.all(results)).toEqual(['ok', 'ok']);
  });

  it('the policies around the attempts retry for themselves, also between two attempts', async () => {
    const clock = virtualClock();
    const owned: boolean[] = [];
    const pacer = {
      acquire: () => {
        owned.push(retriesOwnedUpstream());
        return { settle: () => {} };
      },
    };
    const second = failing(clock, [new Error('1'), new Error('2')]);
    const value = (): Promise<string> => retry({ ...without, clock }).execute(second.fn);
    const guarded = pipeline(fallback({ value, clock }), retry({ ...without, clock }), paced({ pacer, clock }));
    expect(await clock.runUntil(guarded.execute(() => Promise.reject(new Error('down'))))).toBe('ok');
    expect(owned).toEqual([false, false, false]);
  });

  it('a run that several callers share retries for itself, although a retried caller has started it', async () => {
    const clock = virtualClock();
    const flights = singleFlight();
    const inner = retry({ ...without, clock });
    const task = failing(clock, [new Error('1')]);
    const load = (): Promise<string> => flights.run('key', () => inner.execute(task.fn));
    const calls = [retry({ ...without, clock }).execute(load), load()];
    expect(await clock.runUntil(Promise.all(calls))).toEqual(['ok', 'ok']);
    expect(task.startedAt).toEqual([0, 100]);
  });

  it('concurrent calls do not mark each other', async () => {
    const clock = virtualClock();
    const policy = retry({ ...without, clock });
    const tasks = [1, 2, 3].map(() => failing(clock, [new Error('1'), new Error('2')]));
    const values = await clock.runUntil(runWork({}, () => Promise.all(tasks.map(({ fn }) => policy.execute(fn)))));
    expect(values).toEqual(['ok', 'ok', 'ok']);
  });
});

it('aws-sdk-js-v3 #4754: an exhausted call does not disable the retries of the next', async () => {
  const clock = virtualClock();
  const policy = retry({ ...without, clock });
  const dead = failing(
    clock,
    Array.from({ length: 3 }, () => new Error('down')),
  );
  await outcomeOf(clock, policy.execute(dead.fn));
  const alive = failing(clock, [new Error('1'), new Error('2')]);
  expect(await outcomeOf(clock, policy.execute(alive.fn))).toMatchObject({ value: 'ok' });
});

describe('a transparent retry', () => {
  class Stale extends Error {}
  const transparentIf = (outcome: { ok: boolean; error?: unknown }): boolean => outcome.error instanceof Stale;

  it.each([
    { name: 'at once, free of attempts and budget', failures: [new Stale()], startedAt: [0, 0], transparent: 1 },
    { name: 'once in a call', failures: [new Stale(), new Stale()], startedAt: [0, 0, 100], transparent: 1 },
    {
      name: 'of a later try too',
      failures: [new Error('down'), new Stale()],
      startedAt: [0, 100, 100],
      transparent: 1,
    },
    { name: 'not for other failures', failures: [new Error('down')], startedAt: [0, 100], transparent: 0 },
  ])('repeats $name', async ({ failures, startedAt, transparent }) => {
    const clock = virtualClock();
    const task = failing(clock, failures);
    const policy = retry({ ...without, maxAttempts: 2, transparentIf, clock });
    const outcome = await outcomeOf(clock, policy.execute(task.fn));
    expect(outcome.value).toBe('ok');
    expect(task.startedAt).toEqual(startedAt);
    expect(policy.stats()).toMatchObject({ transparent, retries: startedAt.length - 1 - transparent });
  });

  it('is cancelled when the caller aborts while it starts', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const told = vi.fn();
    let calls = 0;
    const call = retry({ transparentIf, clock }).execute(
      (context) => {
        if (++calls === 1) return Promise.reject(new Stale());
        context.onCancel(told);
        controller.abort('stop');
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    );
    await expect(clock.runUntil(call)).rejects.toBe('stop');
    expect(told).toHaveBeenCalledWith('stop');
    clock.assertNoTimers();
  });

  it('spends no budget', async () => {
    const clock = virtualClock();
    const budget = retryBudget({ ratio: 0, minPerSecond: 0, clock });
    const policy = retry({ budget, transparentIf, clock });
    expect(await outcomeOf(clock, policy.execute(failing(clock, [new Stale()]).fn))).toMatchObject({ value: 'ok' });
    expect(budget.stats()).toMatchObject({ granted: 0, refused: 0 });
  });

  it('is cancelled like any other attempt', async () => {
    const clock = virtualClock();
    const abort = new AbortController();
    const cancelled: unknown[] = [];
    let tries = 0;
    const policy = retry({ ...without, transparentIf, clock });
    const call = policy.execute(
      (context) => {
        if (++tries === 1) return Promise.reject(new Stale());
        context.onCancel((reason) => cancelled.push(reason));
        queueMicrotask(() => abort.abort('left'));
        return new Promise(() => {});
      },
      { signal: abort.signal },
    );
    expect((await outcomeOf(clock, call)).error).toBe('left');
    expect(cancelled).toEqual(['left']);
  });

  it('fails with the error that transparentIf throws', async () => {
    const clock = virtualClock();
    const thrown = new Error('the rule');
    const policy = retry({
      ...without,
      clock,
      transparentIf: () => {
        throw thrown;
      },
    });
    expect(
      (
        await outcomeOf(
          clock,
          policy.execute(() => Promise.reject(new Error('down'))),
        )
      ).error,
    ).toBe(thrown);
  });
});
