/** Undoes what {@link onAbort} did. Calling it twice does nothing. */
export type Unsubscribe = () => void;

const nothing: Unsubscribe = () => {};

/**
 * Calls `listener` once when `signal` aborts, or at once when it already has. Exactly one listener is added, and the
 * returned function takes it away again: call it as soon as the work it guards has settled, because a signal that
 * outlives many calls (a server's shutdown signal, say) would otherwise gather one listener for each of them.
 */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): Unsubscribe {
  if (signal === undefined) return nothing;
  if (signal.aborted) {
    listener(signal.reason);
    return nothing;
  }
  const handle = (): void => listener(signal.reason);
  signal.addEventListener('abort', handle, { once: true });
  return () => signal.removeEventListener('abort', handle);
}

/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as it aborts. The promise itself goes on; its
 * late rejection is swallowed, so it can never surface as an unhandled one.
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
