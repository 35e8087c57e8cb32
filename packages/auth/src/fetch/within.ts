import { type Clock, TimeoutError } from '@macadam/core';

/** Settles as the promise does, or rejects once the time is over: what others do must not make anybody wait for ever. */
export function within<T>(timeoutMs: number, clock: Clock, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new TimeoutError(`It did not come within ${timeoutMs} ms.`, timeoutMs));
    const timer = clock.setTimer(late, timeoutMs);
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
