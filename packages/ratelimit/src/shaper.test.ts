import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { runWork, type Clock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createShaper, type ShaperOptions } from './shaper.ts';

function bench(options: Partial<ShaperOptions> = {}) {
  const clock = virtualClock();
  const shaper = createShaper({ ratePerSecond: 10, clock, ...options });
  const begun: (readonly [string, number])[] = [];
  const run = (name: string, how = {}): Promise<unknown> =>
    shaper
      .run(() => void begun.push([name, clock.monotonic()]), how)
      .catch((error: { reason?: string; message: string }) => error.reason ?? error.message);
  return { clock, shaper, begun, run };
}

describe('createShaper', () => {
  it('starts runs at an even pace, in order, with one timer', async () => {
    const { clock, begun, run } = bench();
    const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => run(name)));
    await clock.settle();
    expect(clock.pendingTimers).toBe(2);
    await clock.runUntil(all);
    expect(begun).toEqual([
      ['a', 0],
      ['b', 100],
      ['c', 200],
      ['d', 300],
    ]);
    clock.assertNoTimers();
  });

  it.each([
    [0.5, 2_000],
    [2.5, 400],
    [1_000, 1],
    [1 / 60, 60_000],
    [1 / 300, 300_000],
    [0.0016, 625_000],
  ])('starts %d runs per second', async (ratePerSecond, everyMs) => {
    const { clock, begun, run } = bench({ ratePerSecond });
    await clock.runUntil(Promise.all(['a', 'b', 'c'].map((name) => run(name, { maxWaitMs: Infinity }))));
    expect(begun.map(([, at]) => at)).toEqual([0, everyMs, 2 * everyMs]);
  });

  it('starts a burst after a pause, and no more', async () => {
    const { clock, begun, run } = bench({ burst: 3 });
    await clock.runUntil(Promise.all(['a', 'b', 'c', 'd'].map((name) => run(name))));
    expect(begun.map(([, at]) => at)).toEqual([0, 0, 0, 100]);
  });

  it('serves higher priorities first, and tenants of one priority in turn', async () => {
    const { clock, begun, run } = bench();
    const runs = [run('first')];
    for (const n of [1, 2, 3]) runs.push(run(`acme ${n}`, { tenant: 'acme' }));
    runs.push(run('zeta 1', { tenant: 'zeta' }));
    runs.push(run('low', { priority: 'low' }), run('critical', { priority: 'critical' }));
    await clock.runUntil(Promise.all(runs));
    expect(begun.map(([name]) => name)).toEqual(['first', 'critical', 'acme 1', 'zeta 1', 'acme 2', 'acme 3', 'low']);
  });

  it('p-throttle #2: rejects when the queue is full, unless a run of lower priority can be evicted', async () => {
    const { clock, shaper, begun, run } = bench({ maxQueued: 2 });
    const runs = [run('a'), run('b'), run('c', { priority: 'background' })];
    expect(await run('d', { priority: 'background' })).toBe('full');
    runs.push(run('e', { priority: 'high' }));
    expect(await clock.runUntil(Promise.all(runs))).toEqual([undefined, undefined, 'full', undefined]);
    expect(begun.map(([name]) => name)).toEqual(['a', 'e', 'b']);
    expect(shaper.stats()).toEqual({ begun: 3, queued: 0, refused: 2, expired: 0 });
  });

  it('bottleneck #112: queues a thousand runs by default, and rejects the next', async () => {
    const { shaper, run } = bench({ ratePerSecond: 1_000 });
    const runs = Array.from({ length: 1_002 }, (_, i) => run(`${i}`));
    expect(shaper.stats()).toMatchObject({ queued: 1_000, refused: 1 });
    expect(await runs.at(-1)).toBe('full');
    await shaper.close();
    await Promise.all(runs);
  });

  it('rejects at once a run that would wait too long, and says when to retry', async () => {
    const { clock, shaper, run } = bench();
    const runs = [run('a'), run('b')];
    const refused = { code: 'MAC_OVERLOADED', reason: 'deadline', retryAfterMs: 1 };
    await expect(shaper.run(() => 0, { maxWaitMs: 199 })).rejects.toMatchObject(refused);
    await runWork({ timeoutMs: 199, clock }, () => expect(shaper.run(() => 0)).rejects.toMatchObject(refused));
    expect(clock.monotonic()).toBe(0);
    await clock.runUntil(Promise.all(runs));
  });

  it('rejects at its deadline a run that was overtaken by higher priorities', async () => {
    const { clock, run } = bench();
    const runs = [run('a'), run('low', { priority: 'low', maxWaitMs: 100 }), run('b'), run('c')];
    expect(await clock.runUntil(Promise.all(runs))).toEqual([undefined, 'deadline', undefined, undefined]);
    expect(clock.monotonic()).toBe(200);
  });

  it('p-queue #219: an aborted wait leaves no listener and no timer, and uses no token', async () => {
    const { clock, begun, run } = bench();
    const controller = new AbortController();
    const runs = [run('a'), run('b', { signal: controller.signal }), run('c')];
    await clock.settle();
    controller.abort(new Error('gone'));
    expect(await clock.runUntil(Promise.all(runs))).toEqual([undefined, 'gone', undefined]);
    expect(begun).toEqual([
      ['a', 0],
      ['c', 100],
    ]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await expect(run('d', { signal: controller.signal })).resolves.toBe('gone');
  });

  it('the timer for the next run is cancelled when the last one leaves the queue', async () => {
    const { clock, begun, run } = bench({ ratePerSecond: 0.01 });
    await run('a');
    const controller = new AbortController();
    const aborted = run('b', { maxWaitMs: Infinity, signal: controller.signal });
    await clock.settle();
    controller.abort(new Error('gone'));
    expect(await aborted).toBe('gone');
    clock.assertNoTimers();
    await clock.runUntil(run('c', { maxWaitMs: Infinity }));
    expect(begun).toEqual([
      ['a', 0],
      ['c', 100_000],
    ]);
  });

  it('runs each function in the context of its caller', async () => {
    const { clock, shaper } = bench();
    const context = new AsyncLocalStorage<number>();
    const runs = [1, 2, 3].map((n) => context.run(n, () => shaper.run(() => context.getStore())));
    expect(await clock.runUntil(Promise.all(runs))).toEqual([1, 2, 3]);
  });

  it('waits for the next turn outside of the context of its callers', async () => {
    const clock = virtualClock();
    const context = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    const watched: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (...args) => clock.sleep(...args),
      setTimer(...args) {
        seen.push(context.getStore());
        return clock.setTimer(...args);
      },
    };
    const shaper = createShaper({ ratePerSecond: 10, clock: watched });
    await clock.runUntil(context.run(1, () => Promise.all([1, 2].map(() => shaper.run(() => undefined)))));
    expect(seen).toEqual([undefined, undefined]);
  });

  it('limiter #50: thousands of aborted waits leak nothing', async () => {
    const { clock, shaper, run } = bench({ ratePerSecond: 1_000, maxQueued: 10_000 });
    const controller = new AbortController();
    const runs = Array.from({ length: 5_000 }, (_, i) =>
      run(`${i}`, { maxWaitMs: Infinity, ...(i % 2 === 1 ? { signal: controller.signal } : {}) }),
    );
    await clock.settle();
    controller.abort(new Error('gone'));
    await clock.runUntil(Promise.all(runs));
    expect(shaper.stats()).toMatchObject({ begun: 2_500, queued: 0 });
    expect(clock.monotonic()).toBe(2_499);
    clock.assertNoTimers();
  });

  it('an invalid signal option leaves nothing in the queue', async () => {
    const { clock, shaper, run } = bench();
    const first = run('a');
    await expect(shaper.run(() => 0, { signal: null } as never)).rejects.toMatchObject({ path: 'run.signal' });
    await clock.runUntil(first);
    expect(shaper.stats()).toMatchObject({ begun: 1, queued: 0 });
  });

  it('close rejects queued and later runs', async () => {
    const { clock, shaper, run } = bench();
    const runs = [run('a'), run('b')];
    await clock.settle();
    await shaper.close();
    expect(await Promise.all(runs)).toEqual([undefined, 'Shaper "shaper" is closed']);
    expect(await run('c')).toBe('Shaper "shaper" is closed');
    clock.assertNoTimers();
  });

  it('settles as the function does, and rejects wrong options', async () => {
    const { shaper } = bench({ burst: 5 });
    await expect(shaper.run(() => 7)).resolves.toBe(7);
    await expect(shaper.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(shaper.run(() => 0, { deadline: 5 } as never)).rejects.toMatchObject({ path: 'run.deadline' });
    for (const options of [null, { signal: null }, { signal: 5 }, { tenant: 5 }]) {
      const path = options === null ? 'run' : `run.${Object.keys(options)[0]}`;
      await expect(shaper.run(() => 0, options as never)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
    }
    expect(() => createShaper({ ratePerSecond: 0 })).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    expect(() => createShaper({ ratePerSecond: 1, maxQueued: -1 })).toThrow();
  });
});
