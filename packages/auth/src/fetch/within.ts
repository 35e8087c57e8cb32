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

/** As long as a fetch may take. Whoever is to be asked for each request answers in a fraction of it, or not at all. */
const ASKED_MS = 5_000;

/** What a function of the caller's answers: as it is, or what is promised, if it comes in time. */
export function answerOf<T>(answer: T | PromiseLike<T>, clock: Clock): T | Promise<T> {
  const then: unknown = (answer as PromiseLike<T> | null | undefined)?.then;
  return typeof then === 'function' ? within(ASKED_MS, clock, answer as PromiseLike<T>) : (answer as T);
}
