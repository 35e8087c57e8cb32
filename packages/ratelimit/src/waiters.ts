import { Expiring, ExpiryQueue, onAbort, type Clock, type Unsubscribe } from '@macadam/core';

/** The longest wait when neither the options nor a deadline limit it. */
export const DEFAULT_MAX_WAIT_MS = 30_000;
/** How often `wait` retries for a permit: other processes can release one at any time, and do not notify this one. */
export const PERMIT_POLL_MS = 100;

class Waiter extends Expiring {
  readonly #wake: () => void;
  readonly reject: (error: unknown) => void;

  constructor(wake: () => void, reject: (error: unknown) => void) {
    super();
    this.#wake = wake;
    this.reject = reject;
  }

  override expire(): void {
    this.#wake();
  }
}

/** The calls of `wait` that sleep until their tokens are available. All share one timer. */
export class Waiters {
  readonly #clock: Clock;
  readonly #queue: ExpiryQueue;
  readonly #waiting = new Set<Waiter>();
  #closed: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#queue = new ExpiryQueue(clock);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first, or when the waiters are closed. */
  sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (delayMs <= 0 && signal?.aborted !== true) return Promise.resolve();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const abort: { unsubscribe?: Unsubscribe } = {};
      const remove = (): void => {
        this.#waiting.delete(waiter);
        this.#queue.remove(waiter);
        abort.unsubscribe?.();
      };
      const waiter = new Waiter(
        () => {
          remove();
          resolve();
        },
        (error) => {
          remove();
          reject(error as Error);
        },
      );
      const now = this.#clock.monotonic();
      waiter.expiresAt = now + delayMs;
      this.#waiting.add(waiter);
      this.#queue.add(waiter, now);
      abort.unsubscribe = onAbort(signal, waiter.reject);
    });
  }

  /** Rejects all that sleep, and whoever would sleep later: a wait may be asking the store at this moment. */
  close(error: Error): void {
    this.#closed = error;
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }
}
