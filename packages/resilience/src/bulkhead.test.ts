import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { runWork, type Clock, type Priority } from '@macadam/core';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { pipeline } from './pipeline.ts';
import { timeout } from './timeout.ts';

/** A bulkhead whose calls end when they are told to, and which notes who began when. */
function busy(clock: VirtualClock, options: BulkheadOptions) {
  const policy = bulkhead({ clock, ...options });
  const began: string[] = [];
  const gates = new Map<string, () => void>();
  const call = (name: string, how: { signal?: AbortSignal; priority?: Priority; timeoutMs?: number } = {}) => {
    const { signal, ...work } = how;
    const run = (): Promise<string> =>
      policy.execute(
        () => {
          began.push(name);
          return new Promise<string>((resolve) => gates.set(name, () => resolve(name)));
        },
        signal === undefined ? {} : { signal },
      );
    const promise = runWork({ clock, ...work }, run);
    promise.catch(() => {});
    return promise;
  };
  const end = async (name: string): Promise<void> => {
    gates.get(name)?.();
    await clock.settle();
  };
  return { policy, began, call, end };
}

describe('bulkhead', () => {
  it('rejects at once when all places and the queue are full', async () => {
    const clock = virtualClock();
    const { policy, call, end } = busy(clock, { maxConcurrent: 2 });
    const calls = [call('a'), call('b')];
    await expect(call('c')).rejects.toMatchObject({
      code: 'MAC_BULKHEAD_FULL',
      retryable: true,
      maxConcurrent: 2,
      maxQueued: 0,
      queuedMs: 0,
    });
    expect(policy.stats()).toEqual({ inFlight: 2, queued: 0, rejected: 1, timedOut: 0 });
    await end('a');
    const d = call('d');
    await end('b');
    await end('d');
    expect(await Promise.all([...calls, d])).toEqual(['a', 'b', 'd']);
    expect(policy.stats()).toMatchObject({ inFlight: 0 });
  });

  it.each([
    { order: 'fifo' as const, began: ['a', 'b', 'c', 'd'] },
    { order: 'lifo' as const, began: ['a', 'd', 'c', 'b'] },
  ])('serves the queue in the order $order', async ({ order, began: expected }) => {
    const clock = virtualClock();
    const { call, end, began } = busy(clock, { maxConcurrent: 1, maxQueued: 5, order });
    for (const name of ['a', 'b', 'c', 'd']) void call(name);
    for (const name of expected) await end(name);
    expect(began).toEqual(expected);
    clock.assertNoTimers();
  });

  it('adaptive: serves the oldest first until it has waited half of queueTimeoutMs, then the newest', async () => {
    const clock = virtualClock();
    const { call, end, began } = busy(clock, {
      maxConcurrent: 1,
      maxQueued: 9,
      queueTimeoutMs: 1_000,
      order: 'adaptive',
    });
    for (const name of ['a', 'b', 'c']) void call(name);
    await clock.advance(500);
    await end('a');
    for (const name of ['d', 'e']) void call(name);
    await clock.advance(1);
    for (const name of ['b', 'e', 'd', 'c']) await end(name);
    expect(began).toEqual(['a', 'b', 'e', 'd', 'c']);
  });

  it('serves higher priorities first, and each priority in the configured order', async () => {
    const clock = virtualClock();
    const { call, end, began } = busy(clock, { maxConcurrent: 1, maxQueued: 10 });
    void call('first');
    const waiting: [string, Priority][] = [
      ['low1', 'low'],
      ['normal1', 'normal'],
      ['background1', 'background'],
      ['critical1', 'critical'],
      ['normal2', 'normal'],
      ['high1', 'high'],
    ];
    for (const [name, priority] of waiting) void call(name, { priority });
    const expected = ['first', 'critical1', 'high1', 'normal1', 'normal2', 'low1', 'background1'];
    for (const name of expected) await end(name);
    expect(began).toEqual(expected);
  });

  it('an abort removes a queued call and rejects it at once', async () => {
    const clock = virtualClock();
    const { policy, call, began, end } = busy(clock, { maxConcurrent: 1, maxQueued: 1 });
    void call('a');
    const controller = new AbortController();
    const b = call('b', { signal: controller.signal });
    await expect(call('c')).rejects.toMatchObject({ code: 'MAC_BULKHEAD_FULL' });
    controller.abort('left');
    expect(policy.stats()).toMatchObject({ inFlight: 1, queued: 0 });
    await expect(b).rejects.toBe('left');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    void call('d');
    await end('a');
    expect(began).toEqual(['a', 'd']);
  });

  it('an abort in flight frees the place at once, although the function continues', async () => {
    const clock = virtualClock();
    const { policy, call, began, end } = busy(clock, { maxConcurrent: 1, maxQueued: 1 });
    const controller = new AbortController();
    void call('a', { signal: controller.signal });
    void call('b');
    controller.abort('left');
    expect(began).toEqual(['a', 'b']);
    await end('a');
    expect(policy.stats()).toMatchObject({ inFlight: 1 });
    await end('b');
    expect(policy.stats()).toMatchObject({ inFlight: 0 });
  });

  it.each([
    { name: 'after its queue timeout', queueTimeoutMs: 50, workMs: 1_000, atMs: 50 },
    { name: 'at the deadline of its work', queueTimeoutMs: 1_000, workMs: 30, atMs: 30 },
  ])('a queued call ends $name', async ({ queueTimeoutMs, workMs, atMs }) => {
    const clock = virtualClock();
    const { policy, call, began, end } = busy(clock, { maxConcurrent: 1, maxQueued: 1, queueTimeoutMs });
    void call('a');
    const b = call('b', { timeoutMs: workMs });
    await expect(clock.runUntil(b)).rejects.toMatchObject({ code: 'MAC_BULKHEAD_FULL', queuedMs: atMs });
    expect(clock.monotonic()).toBe(atMs);
    expect(policy.stats()).toEqual({ inFlight: 1, queued: 0, rejected: 0, timedOut: 1 });
    await end('a');
    expect(began).toEqual(['a']);
    clock.assertNoTimers();
  });

  it('time in the queue counts against the timeout of the pipeline', async () => {
    const clock = virtualClock();
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 1, clock });
    const guarded = pipeline(places, timeout({ timeoutMs: 100, clock }));
    const first = guarded.execute(() => clock.sleep(60));
    const fn = vi.fn(() => new Promise<never>(() => {}));
    const second = Promise.allSettled([guarded.execute(fn)]);
    await clock.runUntil(first);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(await clock.runUntil(second)).toMatchObject([{ reason: { code: 'MAC_TIMEOUT', timeoutMs: 40 } }]);
    expect(clock.monotonic()).toBe(100);
  });

  it('50,000 queued calls that end synchronously do not overflow the stack', async () => {
    const clock = virtualClock();
    const count = 50_000;
    const policy = bulkhead({ maxConcurrent: 1, maxQueued: count, clock });
    let release = (): void => {};
    const first = policy.execute(() => new Promise<void>((resolve) => (release = resolve)));
    let ran = 0;
    const calls = Array.from({ length: count }, () => policy.execute(() => ++ran));
    release();
    await first;
    await Promise.all(calls);
    expect(ran).toBe(count);
    expect(policy.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    clock.assertNoTimers();
  });

  it('runs each queued call in the context of its own caller', async () => {
    const clock = virtualClock();
    const policy = bulkhead({ maxConcurrent: 1, maxQueued: 3, clock });
    const storage = new AsyncLocalStorage<string>();
    const seen: [string, string | undefined, string | undefined][] = [];
    const calls = ['a', 'b', 'c'].map((name) =>
      storage.run(name, () =>
        policy.execute(async () => {
          const before = storage.getStore();
          await clock.sleep(10);
          seen.push([name, before, storage.getStore()]);
        }),
      ),
    );
    await clock.runUntil(Promise.all(calls));
    expect(seen).toEqual([
      ['a', 'a', 'a'],
      ['b', 'b', 'b'],
      ['c', 'c', 'c'],
    ]);
  });

  it('a queued call that aborts itself while it starts is cancelled, and frees its place once', async () => {
    const clock = virtualClock();
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 2, clock });
    const limit = timeout({ timeoutMs: 5_000, clock });
    const guarded = pipeline(places, limit);
    const first = guarded.execute(() => clock.sleep(10));
    const controller = new AbortController();
    const told = vi.fn();
    const second = guarded.execute(
      (context) => {
        context.onCancel(told);
        controller.abort('stop');
        return new Promise<never>(() => {});
      },
      { signal: controller.signal },
    );
    const third = guarded.execute(() => 'third');
    await clock.runUntil(Promise.allSettled([first, second, third]));
    await expect(second).rejects.toBe('stop');
    expect(await third).toBe('third');
    expect(told).toHaveBeenCalledTimes(1);
    expect(places.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    expect(limit.stats()).toMatchObject({ inFlight: 0 });
    clock.assertNoTimers();
  });

  it('allows an infinite queueTimeoutMs', async () => {
    const clock = virtualClock();
    const { call, end } = busy(clock, { maxConcurrent: 1, maxQueued: 1, queueTimeoutMs: Infinity });
    const calls = [call('a'), call('b')];
    await clock.advance(3_600_000);
    await end('a');
    await end('b');
    expect(await Promise.all(calls)).toEqual(['a', 'b']);
  });

  it('describe states the queue, its size and its timeout', () => {
    expect(bulkhead({ maxConcurrent: 7 }).describe()).toBe('bulkhead: 7 in flight, none queued');
    expect(bulkhead({ maxQueued: 3, order: 'lifo' }).describe()).toBe(
      'bulkhead: 1000 in flight, 3 queued (lifo) for up to 1000 ms',
    );
  });

  it.each([
    { options: { maxConcurrent: 0 }, path: 'bulkhead.maxConcurrent' },
    { options: { maxQueued: -1 }, path: 'bulkhead.maxQueued' },
    { options: { queueTimeoutMs: 0 }, path: 'bulkhead.queueTimeoutMs' },
    { options: null, path: 'bulkhead' },
    { options: { order: 'random' }, path: 'bulkhead.order' },
    { options: { maxQueue: 5 }, path: 'bulkhead.maxQueue' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => bulkhead(options as never)).toThrow(expect.objectContaining({ path }));
  });

  it('goes on admitting after a clock has thrown', async () => {
    const virtual = virtualClock();
    let readings = Infinity;
    const monotonic = (): number => {
      if (readings-- === 0) throw new Error('no time');
      return virtual.monotonic();
    };
    const clock: Clock = {
      now: () => virtual.now(),
      monotonic,
      setTimer: (callback, delayMs) => virtual.setTimer(callback, delayMs),
      sleep: (delayMs, signal) => virtual.sleep(delayMs, signal),
    };
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 5, clock });
    const guarded = pipeline(places, timeout({ timeoutMs: 50, clock }));
    const calls = [
      guarded.execute(() => new Promise<never>(() => {})),
      guarded.execute(() => 'second', { timeoutMs: 1_000 }),
    ];
    const settled = Promise.allSettled(calls);
    // The timer can read the clock, the bulkhead cannot.
    readings = 1;
    expect(() => virtual.advanceSync(50)).toThrow('no time');
    readings = Infinity;
    expect(await guarded.execute(() => 'third')).toBe('third');
    expect(await settled).toMatchObject([{ status: 'rejected' }, { value: 'second' }]);
    expect(places.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it.each([
    ['throws', throwing],
    ['returns', () => 'after that'],
    ['never settles', () => new Promise<never>(() => {})],
  ])('frees one place when a queued call cancels itself as it starts, and then %s', async (_how, end) => {
    const clock = virtualClock();
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 5, clock });
    const first = places.execute(() => clock.sleep(10));
    const controller = new AbortController();
    const second = places.execute(
      () => {
        controller.abort('by itself');
        return end();
      },
      { signal: controller.signal },
    );
    await clock.runUntil(Promise.allSettled([first, second]));
    await expect(second).rejects.toBe('by itself');
    expect(places.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });
});

function throwing(): never {
  throw new Error('after that');
}
