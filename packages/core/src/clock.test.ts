import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { virtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sleepWith, systemClock } from './clock.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

afterEach(() => {
  // In this order: a spy on a fake setTimeout would otherwise put the fake back.
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('systemClock.setTimer', () => {
  it.each([
    { delayMs: LONGEST_TIMER_MS },
    { delayMs: LONGEST_TIMER_MS + 1 },
    { delayMs: 2 ** 32 },
    { delayMs: 1e12 },
    { delayMs: 3 * LONGEST_TIMER_MS + 0.5 },
  ])('a timer of $delayMs ms fires then and not before', ({ delayMs }) => {
    vi.useFakeTimers();
    const fired = vi.fn();
    systemClock.setTimer(fired, delayMs);
    vi.advanceTimersByTime(Math.ceil(delayMs) - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never asks setTimeout for more than it can hold, which would fire at once', () => {
    vi.useFakeTimers();
    const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout');
    const timer = systemClock.setTimer(() => {}, 1e12);
    vi.advanceTimersByTime(5 * LONGEST_TIMER_MS);
    timer.cancel();
    const delays = setTimeoutSpy.mock.calls.map(([, delayMs]) => delayMs as number);
    expect(delays.length).toBe(6);
    expect(Math.max(...delays)).toBe(LONGEST_TIMER_MS);
  });

  it('an infinite timer never fires and can be cancelled', () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    const timer = systemClock.setTimer(fired, Infinity);
    vi.advanceTimersByTime(4 * LONGEST_TIMER_MS);
    expect(fired).not.toHaveBeenCalled();
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    { delayMs: 0, firesAtMs: 0 },
    { delayMs: -5, firesAtMs: 0 },
    { delayMs: Number.NaN, firesAtMs: 0 },
    { delayMs: 1.2, firesAtMs: 2 },
  ])('rounds $delayMs ms up to $firesAtMs: never early', ({ delayMs, firesAtMs }) => {
    vi.useFakeTimers();
    const setTimeoutSpy = vi.spyOn(globalThis, 'setTimeout');
    systemClock.setTimer(() => {}, delayMs).cancel();
    expect(setTimeoutSpy.mock.calls[0]?.[1]).toBe(firesAtMs);
  });

  it('a process that stood still reads what has come in time before it finds the time over', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [far] = (await once(server, 'connection')) as [Socket];
    const order: string[] = [];
    near.once('data', () => {
      order.push('read');
      cancelled.cancel();
    });
    const cancelled = systemClock.setTimer(() => order.push('fired, though cancelled'), 5);
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

  it('cancelling does nothing once it has fired, and nothing twice', () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    const timer = systemClock.setTimer(fired, 10);
    vi.advanceTimersByTime(10);
    timer.cancel();
    timer.cancel();
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it('unref and ref decide whether it keeps the process alive, also after it was re-armed', () => {
    vi.useFakeTimers();
    const handles: NodeJS.Timeout[] = [];
    const original = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((...args: Parameters<typeof setTimeout>) => {
      const handle = original(...args);
      handles.push(handle);
      return handle;
    }) as typeof setTimeout);
    const timer = systemClock.setTimer(() => {}, 3 * LONGEST_TIMER_MS);
    const isReferenced = (): boolean | undefined => handles.at(-1)?.hasRef();
    expect(isReferenced()).toBe(true);
    timer.unref?.();
    expect(isReferenced()).toBe(false);
    vi.advanceTimersByTime(LONGEST_TIMER_MS);
    expect(handles).toHaveLength(2);
    expect(isReferenced()).toBe(false);
    timer.ref?.();
    expect(isReferenced()).toBe(true);
    timer.cancel();
  });

  it('monotonic never goes back, and now is epoch time', () => {
    const readings = Array.from({ length: 1_000 }, () => systemClock.monotonic());
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
    expect(systemClock.now()).toBeGreaterThan(Date.UTC(2025, 0, 1));
  });
});

describe('sleep', () => {
  it('resolves after the delay and takes its listener away', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const sleeping = sleepWith(clock, 50, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(50);
    await sleeping;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    clock.assertNoTimers();
  });

  it('rejects with the reason when the signal aborts, and leaves neither timer nor listener', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const sleeping = sleepWith(clock, 50, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    clock.assertNoTimers();
  });

  it('rejects at once, without a timer, when the signal has aborted before', async () => {
    const clock = virtualClock();
    await expect(sleepWith(clock, 50, AbortSignal.abort('before'))).rejects.toBe('before');
    expect(clock.pendingTimers).toBe(0);
  });

  it('of the system clock does the same on real timers', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(1e12, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(systemClock.sleep(0)).resolves.toBeUndefined();
  });
});

describe('systemClock.recently', () => {
  const { recently = () => Number.NaN } = systemClock;

  it('is never ahead of the time, nor behind what was told before', () => {
    let told = systemClock.monotonic();
    for (let i = 0; i < 1_000; i++) {
      const recent = recently();
      expect(recent).toBeGreaterThanOrEqual(told);
      expect(recent).toBeLessThanOrEqual(performance.now());
      told = i % 7 === 0 ? systemClock.monotonic() : recent;
    }
  });

  it('stands still between two timers, and then goes on', async () => {
    const before = recently();
    expect(recently()).toBe(before);
    await new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 150));
    const after = recently();
    expect(after).toBeGreaterThanOrEqual(before + 100);
    expect(recently()).toBe(after);
  });

  it('is the time while timers are faked, and sets none', () => {
    recently();
    vi.useFakeTimers();
    const before = recently();
    vi.advanceTimersByTime(60_000);
    expect(recently()).toBe(before + 60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not hold on to the context of whoever asks', async () => {
    const storage = new AsyncLocalStorage<object>();
    // The timer of before may have been set outside.
    await new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 150));
    const ask = (): WeakRef<object> => {
      const context = { request: 1 };
      storage.run(context, recently);
      return new WeakRef(context);
    };
    const context = ask();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    globalThis.gc?.();
    expect(context.deref()).toBeUndefined();
  });
});
