import { isMacadamError } from './brand.ts';

/** Removes the listener that `onAbort()` added. May be called more than once. */
export type Unsubscribe = () => void;

const noop: Unsubscribe = () => {};

/**
 * Calls `listener` once when `signal` aborts, or at once if it already has. Returns a function that removes the listener: call it as
 * soon as the guarded work has settled, because a signal that outlives many calls, such as a shutdown signal, would otherwise collect a
 * listener for each of them. Does nothing without a signal.
 *
 * @example
 * ```ts
 * import { onAbort } from '@macadam/core';
 *
 * const { signal } = new AbortController();
 * const unsubscribe = onAbort(signal, (reason) => console.log('cancelled', reason));
 * unsubscribe();
 * ```
 */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): Unsubscribe {
  if (signal === undefined) return noop;
  if (signal.aborted) {
    listener(signal.reason);
    return noop;
  }
  const handle = (): void => listener(signal.reason);
  signal.addEventListener('abort', handle, { once: true });
  return () => signal.removeEventListener('abort', handle);
}

/**
 * Settles like `promise`, or rejects with the signal's reason as soon as `signal` aborts. The work behind the promise is not stopped; a
 * later rejection of it is ignored and never becomes an unhandled one.
 *
 * @example
 * ```ts
 * import { abortable } from '@macadam/core';
 *
 * const answer = await abortable(Promise.resolve(42), AbortSignal.timeout(1_000));
 * ```
 */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise<T>((resolve, reject) => {
    const unsubscribe = onAbort(signal, reject);
    promise.then(
      (value) => {
        unsubscribe();
        resolve(value);
      },
      (error: unknown) => {
        unsubscribe();
        reject(error as Error);
      },
    );
  });
}

/**
 * Returns the timeout that caused `error`, or undefined if none did. A timeout is an error with the code `MAC_TIMEOUT`, or the
 * `TimeoutError` of `AbortSignal.timeout`.
 *
 * Node's own functions (timers, `once`, streams, `node:http`, child processes) reject with an `AbortError` whenever their signal
 * aborts, and keep the reason as its `cause`. Code that only looks at the name takes a dependency that hangs for a caller who left.
 *
 * @example
 * ```ts
 * import { timeoutOf } from '@macadam/core';
 * import { setTimeout } from 'node:timers/promises';
 *
 * const error: unknown = await setTimeout(1_000, undefined, { signal: AbortSignal.timeout(1) }).catch((thrown) => thrown);
 * if (timeoutOf(error) === undefined) throw new Error('not recognised');
 * ```
 */
export function timeoutOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === 'TimeoutError' || isMacadamError(error, 'MAC_TIMEOUT')) return error;
  const { cause } = error;
  return error.name === 'AbortError' && cause instanceof Error && cause.name !== 'AbortError'
    ? timeoutOf(cause)
    : undefined;
}
