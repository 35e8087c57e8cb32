import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { virtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sleepWith, systemClock } from './clock.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

afterEach(() => {
  // In this order: restoring a spy on a fake `setTimeout` later would put the fake back.
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('systemClock.setTimer', () => {
  it.each([
    { delayMs: MAX_TIMER_MS },
    { delayMs: MAX_TIMER_MS + 1 },
    { delayMs: 2 ** 32 },
    { delayMs: 1e12 },
    { delayMs: 3 * MAX_TIMER_MS + 0.5 },
  ])('fires a timer of $delayMs ms after that time and not earlier', ({ delayMs }) => {
    vi.useFakeTimers();
    const fired = vi.fn();
    systemClock.setTimer(fired, delayMs);
    vi.advanceTimersByTime(Math.ceil(delayMs) - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never passes setTimeout a delay above its maximum, which would fire at once', () => {
    vi.useFakeTimers();
    const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout');
    const timer = systemClock.setTimer(() => {}, 1e12);
    vi.advanceTimersByTime(5 * MAX_TIMER_MS);
    timer.cancel();
    const delays = setTimeoutSpy.mock.calls.map(([, delayMs]) => delayMs as number);
    expect(delays.length).toBe(6);
    expect(Math.max(...delays)).toBe(MAX_TIMER_MS);
  });

  it('never fires a timer of Infinity, which can be cancelled', () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    const timer = systemClock.setTimer(fired, Infinity);
    vi.advanceTimersByTime(4 * MAX_TIMER_MS);
    expect(fired).not.toHaveBeenCalled();
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    { delayMs: 0, firesAtMs: 0 },
    { delayMs: -5, firesAtMs: 0 },
    { delayMs: Number.NaN, firesAtMs: 0 },
    { delayMs: 1.2, firesAtMs: 2 },
  ])('rounds $delayMs ms up to $firesAtMs ms, so that no timer fires early', ({ delayMs, firesAtMs }) => {
    vi.useFakeTimers();
    const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout');
    systemClock.setTimer(() => {}, delayMs).cancel();
    expect(setTimeoutSpy.mock.calls[0]?.[1]).toBe(firesAtMs);
  });

  it('reads data that arrived in time before it fires timers that expired while the process was blocked', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [far] = (await once(server, 'connection')) as [Socket];
    const order: string[] = [];
    near.once('data', () => {
      order.push('read');
      cancelled.cancel();
    });
    const cancelled = systemClock.setTimer(() => order.push('fired although cancelled'), 5);
    const fired = new Promise<void>((resolve) => {
      systemClock.setTimer(() => {
        order.push('fired');
        resolve();
      }, 5);
    });
    setImmediate(() => {
      far.write('in time');
      const until = performance.now() + 20;
      while (performance.now() < until);
    });
    await fired;
    expect(order).toEqual(['read', 'fired']);
    near.destroy();
    server.close();
  });

  it('never fires early, also when the delay begins late in a turn of the event loop', async () => {
    const early: number[] = [];
    for (let round = 0; round < 20; round++) {
      const startedAtMs = systemClock.monotonic();
      // Node counts from the start of the turn, which this blocks for a part of a millisecond.
      while (systemClock.monotonic() - startedAtMs < round / 10);
      const waits = [1, 1.5, 2.25, 3].map(async (delayMs) => {
        const setAtMs = systemClock.monotonic();
        await systemClock.sleep(delayMs);
        const tookMs = systemClock.monotonic() - setAtMs;
        if (tookMs < delayMs) early.push(tookMs - delayMs);
      });
      await Promise.all(waits);
    }
    expect(early).toEqual([]);
  });

  it('ignores cancel() after the timer has fired, and a second cancel()', () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    const timer = systemClock.setTimer(fired, 10);
    vi.advanceTimersByTime(10);
    timer.cancel();
    timer.cancel();
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it('keeps unref() and ref() when a long timer is re-armed', () => {
    vi.useFakeTimers();
    const handles: NodeJS.Timeout[] = [];
    const original = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((...args: Parameters<typeof setTimeout>) => {
      const handle = original(...args);
      handles.push(handle);
      return handle;
    }) as typeof setTimeout);
    const timer = systemClock.setTimer(() => {}, 3 * MAX_TIMER_MS);
    const isReferenced = (): boolean | undefined => handles.at(-1)?.hasRef();
    expect(isReferenced()).toBe(true);
    timer.unref?.();
    expect(isReferenced()).toBe(false);
    vi.advanceTimersByTime(MAX_TIMER_MS);
    expect(handles).toHaveLength(2);
    expect(isReferenced()).toBe(false);
    timer.ref?.();
    expect(isReferenced()).toBe(true);
    timer.cancel();
  });

  it('has a monotonic() that never decreases, and a now() in epoch milliseconds', () => {
    const readings = Array.from({ length: 1_000 }, () => systemClock.monotonic());
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
    expect(systemClock.now()).toBeGreaterThan(Date.UTC(2025, 0, 1));
  });
});

describe('sleep', () => {
  it('resolves after the delay, and removes its listener from the signal', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const sleeping = sleepWith(clock, 50, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(50);
    await sleeping;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    clock.assertNoTimers();
  });

  it('rejects with the reason when the signal aborts, and leaves no timer or listener', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const sleeping = sleepWith(clock, 50, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    clock.assertNoTimers();
  });

  it('rejects at once, without a timer, if the signal has already aborted', async () => {
    const clock = virtualClock();
    await expect(sleepWith(clock, 50, AbortSignal.abort('before'))).rejects.toBe('before');
    expect(clock.pendingTimers).toBe(0);
  });

  it('works on the real timers of the system clock', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(1e12, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(systemClock.sleep(0)).resolves.toBeUndefined();
  });
});

describe('systemClock.recently', () => {
  const { recently = () => Number.NaN } = systemClock;

  it('is never ahead of the current time, nor behind an earlier reading', () => {
    let earlier = systemClock.monotonic();
    for (let i = 0; i < 1_000; i++) {
      const recent = recently();
      expect(recent).toBeGreaterThanOrEqual(earlier);
      expect(recent).toBeLessThanOrEqual(performance.now());
      earlier = i % 7 === 0 ? systemClock.monotonic() : recent;
    }
  });

  it('returns the same reading for 100 ms, and then a later one', async () => {
    const before = recently();
    expect(recently()).toBe(before);
    await new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 150));
    const after = recently();
    expect(after).toBeGreaterThanOrEqual(before + 100);
    expect(recently()).toBe(after);
  });

  it('returns the exact time while timers are faked, and sets no timer', () => {
    recently();
    vi.useFakeTimers();
    const before = recently();
    vi.advanceTimersByTime(60_000);
    expect(recently()).toBe(before + 60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not retain the asynchronous context of its caller', async () => {
    const storage = new AsyncLocalStorage<object>();
    // Wait for the timer of earlier tests to expire, so that the next reading sets a new one inside of the context.
    await new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 150));
    const readInContext = (): WeakRef<object> => {
      const context = { request: 1 };
      storage.run(context, recently);
      return new WeakRef(context);
    };
    const context = readInContext();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    globalThis.gc?.();
    expect(context.deref()).toBeUndefined();
  });
});
