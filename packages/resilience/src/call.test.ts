import { AsyncLocalStorage } from 'node:async_hooks';
import { currentWork, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { bulkhead } from './bulkhead.ts';
import { pipeline } from './pipeline.ts';
import { constant } from './retry/backoff.ts';
import { retry } from './retry/retry.ts';
import { timeout } from './timeout.ts';

const hang = (): Promise<never> => new Promise<never>(() => {});

describe('a call', () => {
  it('awaits any thenable, also a callable one', async () => {
    const query = Object.assign(() => {}, {
      then: (resolve: (value: string) => unknown) => Promise.resolve(resolve('row')),
    });
    const clock = virtualClock();
    const policy = timeout({ timeoutMs: 10, clock });
    expect(await policy.execute(() => query as unknown as PromiseLike<string>)).toBe('row');
    clock.assertNoTimers();
  });

  it.each([
    {
      name: 'throws',
      then: () => {
        throw new Error('broken thenable');
      },
    },
    {
      name: 'rejects and then throws',
      then: (_: unknown, reject: (error: Error) => void) => {
        reject(new Error('broken thenable'));
        throw new Error('again');
      },
    },
  ])('ends when a thenable $name, and holds no bulkhead slot afterwards', async ({ then }) => {
    const clock = virtualClock();
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 1, clock });
    const limit = timeout({ timeoutMs: 10, clock });
    const guarded = pipeline(places, limit);
    const first = guarded.execute(() => ({ then }) as unknown as PromiseLike<never>);
    await expect(first).rejects.toThrow('broken thenable');
    expect(await guarded.execute(() => 'next')).toBe('next');
    expect(places.stats()).toMatchObject({ inFlight: 0 });
    expect(limit.stats()).toMatchObject({ inFlight: 0 });
    clock.assertNoTimers();
  });

  it('never throws: wrong arguments reject', async () => {
    const policy = retry();
    await expect(policy.execute(5 as never)).rejects.toMatchObject({ path: 'execute.fn' });
    await expect(policy.execute(() => 1, { timeoutMs: -1 })).rejects.toMatchObject({ path: 'execute.timeoutMs' });
    await expect(policy.execute(() => 1, { attemptTimeoutMs: 0 })).rejects.toMatchObject({
      path: 'execute.attemptTimeoutMs',
    });
    await expect(policy.execute(() => 1, null as never)).rejects.toMatchObject({ path: 'execute' });
    await expect(policy.execute(() => 1, [] as never)).rejects.toMatchObject({ path: 'execute' });
    await expect(policy.execute(() => 1, { timeout: 5 } as never)).rejects.toMatchObject({ path: 'execute.timeout' });
    await expect(policy.execute(() => 1, { idempotent: 'no' } as never)).rejects.toMatchObject({
      path: 'execute.idempotent',
    });
    await expect(policy.execute(() => 1, { route: {} } as never)).rejects.toMatchObject({ path: 'execute.route.next' });
    for (const signal of [{}, null, 5]) {
      await expect(policy.execute(() => 1, { signal: signal as AbortSignal })).rejects.toMatchObject({
        path: 'execute.signal',
      });
    }
  });

  it('runs nothing when its signal has aborted before', async () => {
    const fn = vi.fn();
    await expect(retry().execute(fn, { signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect(fn).not.toHaveBeenCalled();
  });

  it('is cancelled with the current work, but not by work that has settled', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const call = runWork({ signal: controller.signal, clock }, () => retry({ clock }).execute(hang));
    controller.abort('client left');
    await expect(call).rejects.toBe('client left');
  });

  it('the context of the function has the attempt, one signal, and an onCancel that also works after the cancellation', async () => {
    const clock = virtualClock();
    const late = vi.fn();
    const call = timeout({ timeoutMs: 10, clock }).execute(async (context) => {
      expect(context.attempt).toBe(1);
      expect(context.signal).toBe(context.signal);
      await clock.sleep(20);
      context.onCancel(late);
    });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(20);
    expect(late).toHaveBeenCalledWith(expect.objectContaining({ code: 'MAC_TIMEOUT' }));
  });

  it('a signal that is read after the cancellation has aborted already', async () => {
    const clock = virtualClock();
    let seen: AbortSignal | undefined;
    const call = timeout({ timeoutMs: 10, clock }).execute(async (context) => {
      await clock.sleep(20);
      seen = context.signal;
    });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(20);
    expect(seen).toMatchObject({ aborted: true, reason: { code: 'MAC_TIMEOUT' } });
  });
});

describe('the context of each caller', () => {
  it('is preserved when a timer or another call starts the next attempt', async () => {
    const clock = virtualClock();
    const storage = new AsyncLocalStorage<string>();
    const guarded = pipeline(
      bulkhead({ maxConcurrent: 1, maxQueued: 10, queueTimeoutMs: 10_000, clock }),
      timeout({ timeoutMs: 10_000, clock }),
      retry({ clock, budget: false, backoff: constant({ delayMs: 5 }) }),
      timeout({ timeoutMs: 20, clock }),
    );
    const seen: string[] = [];
    const callers = ['a', 'b', 'c'].map((name) =>
      storage.run(name, () =>
        runWork({ tenant: name, clock }, () =>
          guarded.execute(async ({ attempt }) => {
            seen.push(`${name} ${attempt}: ${storage.getStore()} ${currentWork()?.tenant}`);
            // The first try is ended by the shared timer of the timeout, the second by its own failure.
            if (attempt === 1) return hang();
            if (attempt === 2) throw new Error('down');
            return attempt;
          }),
        ),
      ),
    );
    expect(await clock.runUntil(Promise.all(callers))).toEqual([3, 3, 3]);
    expect(seen).toEqual(['a', 'b', 'c'].flatMap((name) => [1, 2, 3].map((n) => `${name} ${n}: ${name} ${name}`)));
    clock.assertNoTimers();
  });

  it('does not leak into code that awaits the call', async () => {
    const clock = virtualClock();
    const storage = new AsyncLocalStorage<string>();
    const call = storage.run('inside', () => retry({ clock }).execute(async () => storage.getStore()));
    expect(await call).toBe('inside');
    expect(storage.getStore()).toBeUndefined();
  });
});
