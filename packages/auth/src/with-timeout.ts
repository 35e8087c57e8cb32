// Time limits for code that is not ours: a callback or a store whose promise never settles must not block callers for ever.
import { type Clock, TimeoutError } from '@macadam/core';

/** Settles like the promise, or rejects with a `TimeoutError` after `timeoutMs`. */
export function withTimeout<T>(timeoutMs: number, clock: Clock, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onTimeout = (): void => reject(new TimeoutError(`No result within ${timeoutMs} ms.`, timeoutMs));
    const timer = clock.setTimer(onTimeout, timeoutMs);
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as Error);
      },
    );
  });
}

/**
 * The same as the default time limit of a fetch. A callback that runs for every request normally takes a fraction of
 * it.
 */
export const CALLBACK_TIMEOUT_MS = 5_000;

/**
 * The result of a callback (`isRevoked`, `seen`, `resolveKey`, `lookup`): a value as it is, a promise with a time
 * limit.
 */
export function settleCallback<T>(
  result: T | PromiseLike<T>,
  clock: Clock,
  timeoutMs: number = CALLBACK_TIMEOUT_MS,
): T | Promise<T> {
  const then: unknown = (result as PromiseLike<T> | null | undefined)?.then;
  return typeof then === 'function' ? withTimeout(timeoutMs, clock, result as PromiseLike<T>) : (result as T);
}
