import type { Clock } from '@macadam/core';

/** The promise, or a rejection after so long: what drivers and schemas promise need never come. */
export async function within<R>(clock: Clock, limitMs: number, promise: Promise<R>): Promise<R> {
  let cancel: () => void = () => {};
  const late = new Promise<never>((_, reject) => {
    const timer = clock.setTimer(() => reject(new Error(`No answer within ${limitMs} ms`)), limitMs);
    cancel = () => timer.cancel();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}
