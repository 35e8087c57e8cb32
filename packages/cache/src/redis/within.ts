import type { Clock } from '@macadam/core';

/** The longest a connection may take to be made. */
export const CONNECT_MS = 2_000;
/** The longest an answer of a server may take beyond what it was told to wait. */
export const ANSWER_MS = 500;

/** The promise, or a rejection after so long; drivers do not bound every wait. */
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
