import type { Clock } from '@macadam/core';

/**
 * Rejects if the promise takes longer than `timeoutMs`. For promises of drivers and schemas, which may never settle.
 */
export async function withTimeout<R>(clock: Clock, timeoutMs: number, promise: Promise<R>): Promise<R> {
  let cancel: () => void = () => {};
  const timeout = new Promise<never>((_, reject) => {
    const timer = clock.setTimer(() => reject(new Error(`No result within ${timeoutMs} ms`)), timeoutMs);
    cancel = () => timer.cancel();
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    cancel();
  }
}
