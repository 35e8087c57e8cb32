import { getEventListeners, once } from 'node:events';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { abortable, onAbort, timeoutOf } from './abort.ts';
import { TimeoutError } from './errors.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('onAbort', () => {
  it('calls the listener once with the reason, and leaves no listener on the signal', () => {
    const controller = new AbortController();
    const listener = vi.fn();
    onAbort(controller.signal, listener);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort('why');
    controller.abort('again');
    expect(listener.mock.calls).toEqual([['why']]);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('calls the listener at once if the signal has already aborted', () => {
    const listener = vi.fn();
    const signal = AbortSignal.abort('before');
    onAbort(signal, listener)();
    expect(listener.mock.calls).toEqual([['before']]);
    expect(listeners(signal)).toBe(0);
  });

  it('returns a function that removes the listener and may be called twice', () => {
    const controller = new AbortController();
    const listener = vi.fn();
    const unsubscribe = onAbort(controller.signal, listener);
    unsubscribe();
    unsubscribe();
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    expect(listener).not.toHaveBeenCalled();
  });

  it('does nothing without a signal', () => {
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
      ends: 'is abandoned by an abort',
      run: (_: unknown, __: unknown, controller: AbortController) => controller.abort('stop'),
      outcome: { status: 'rejected', reason: 'stop' },
    },
  ])('leaves no listener on the signal when the promise $ends', async ({ run, outcome }) => {
    const controller = new AbortController();
    const { promise, resolve, reject } = deferred<string>();
    const settled = Promise.allSettled([abortable(promise, controller.signal)]);
    expect(listeners(controller.signal)).toBe(1);
    run(resolve, reject, controller);
    expect(await settled).toEqual([outcome]);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('ignores a rejection of the promise after the abort', async () => {
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

  it('returns the promise itself without a signal', () => {
    const promise = Promise.resolve(1);
    expect(abortable(promise, undefined)).toBe(promise);
  });
});

describe('timeoutOf', () => {
  const wrapped = (reason: unknown): Promise<unknown> =>
    once(new EventTarget(), 'never', { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error);

  it.each([
    ['a TimeoutError of Macadam', new TimeoutError('late', 5)],
    ['the TimeoutError of AbortSignal.timeout', new DOMException('late', 'TimeoutError')],
  ])("finds %s, also as the cause of an AbortError of Node's own functions", async (_name, reason) => {
    expect(timeoutOf(reason)).toBe(reason);
    expect(timeoutOf(await wrapped(reason))).toBe(reason);
  });

  it('is undefined for a cancelled call, and for a failure whose cause is a timeout', async () => {
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
