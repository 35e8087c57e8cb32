import { getEventListeners, once } from 'node:events';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { abortable, onAbort, timeoutOf } from './abort.ts';
import { TimeoutError } from './errors.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('onAbort', () => {
  it('calls the listener once, with the reason, and keeps nothing afterwards', () => {
    const controller = new AbortController();
    const listener = vi.fn();
    onAbort(controller.signal, listener);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort('why');
    controller.abort('again');
    expect(listener.mock.calls).toEqual([['why']]);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('calls it at once when the signal has aborted before', () => {
    const listener = vi.fn();
    const signal = AbortSignal.abort('before');
    onAbort(signal, listener)();
    expect(listener.mock.calls).toEqual([['before']]);
    expect(listeners(signal)).toBe(0);
  });

  it('takes the listener away, and does nothing the second time', () => {
    const controller = new AbortController();
    const listener = vi.fn();
    const unsubscribe = onAbort(controller.signal, listener);
    unsubscribe();
    unsubscribe();
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    expect(listener).not.toHaveBeenCalled();
  });

  it('without a signal does nothing', () => {
    const listener = vi.fn();
    onAbort(undefined, listener)();
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('abortable', () => {
  it.each([
    {
      ends: 'resolves',
      run: (resolve: (v: string) => void) => resolve('ok'),
      outcome: { status: 'fulfilled', value: 'ok' },
    },
    {
      ends: 'rejects',
      run: (_: unknown, reject: (e: unknown) => void) => reject('bad'),
      outcome: { status: 'rejected', reason: 'bad' },
    },
    {
      ends: 'is aborted',
      run: (_: unknown, __: unknown, controller: AbortController) => controller.abort('stop'),
      outcome: { status: 'rejected', reason: 'stop' },
    },
  ])('leaves no listener when it $ends', async ({ run, outcome }) => {
    const controller = new AbortController();
    const { promise, resolve, reject } = deferred<string>();
    const settled = Promise.allSettled([abortable(promise, controller.signal)]);
    expect(listeners(controller.signal)).toBe(1);
    run(resolve, reject, controller);
    expect(await settled).toEqual([outcome]);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('swallows what the abandoned promise does later', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const late = deferred<never>();
      await expect(abortable(late.promise, AbortSignal.abort('before'))).rejects.toBe('before');
      late.reject(new Error('too late'));
      await virtualClock({ settle: 'eventLoop' }).settle();
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('without a signal is the promise itself', () => {
    const promise = Promise.resolve(1);
    expect(abortable(promise, undefined)).toBe(promise);
  });
});

describe('timeoutOf', () => {
  const wrapped = (reason: unknown): Promise<unknown> =>
    once(new EventTarget(), 'never', { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error);

  it.each([
    ['ours', new TimeoutError('late', 5)],
    ["the platform's", new DOMException('late', 'TimeoutError')],
  ])("finds %s, also within the AbortError of Node's own functions", async (_name, reason) => {
    expect(timeoutOf(reason)).toBe(reason);
    expect(timeoutOf(await wrapped(reason))).toBe(reason);
  });

  it('finds none where somebody left, or a failure has a time limit as its cause', async () => {
    expect(timeoutOf(await wrapped(new Error('the caller left')))).toBeUndefined();
    expect(timeoutOf(await wrapped(undefined))).toBeUndefined();
    expect(timeoutOf(new Error('no rows', { cause: new TimeoutError('late', 5) }))).toBeUndefined();
    expect(timeoutOf('late')).toBeUndefined();
  });
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
