import { Expiring, ExpiryQueue, onAbort, type Clock, type Unsubscribe } from '@macadam/core';

/** How long a wait may take where nobody says. */
export const DEFAULT_WAIT_MS = 30_000;
/** A permit can be given back any time, also by another process: nobody says when. */
export const PERMIT_POLL_MS = 100;

/** Someone who waits. */
class Wait extends Expiring {
  readonly #wake: () => void;
  readonly end: (error: unknown) => void;

  constructor(wake: () => void, end: (error: unknown) => void) {
    super();
    this.#wake = wake;
    this.end = end;
  }

  override expire(): void {
    this.#wake();
  }
}

/** Any number of waits with one timer between them. */
export class Waits {
  readonly #clock: Clock;
  readonly #queue: ExpiryQueue;
  readonly #waiting = new Set<Wait>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#queue = new ExpiryQueue(clock);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (delayMs <= 0 && signal?.aborted !== true) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort: { unsubscribe?: Unsubscribe } = {};
      const leave = (): void => {
        this.#waiting.delete(wait);
        this.#queue.remove(wait);
        abort.unsubscribe?.();
      };
      const wait = new Wait(
        () => {
          leave();
          resolve();
        },
        (error) => {
          leave();
          reject(error as Error);
        },
      );
      const now = this.#clock.monotonic();
      wait.expiresAt = now + delayMs;
      this.#waiting.add(wait);
      this.#queue.add(wait, now);
      abort.unsubscribe = onAbort(signal, wait.end);
    });
  }

  /** Ends every wait with `error`. */
  end(error: unknown): void {
    for (const wait of [...this.#waiting]) wait.end(error);
  }
}
