interface Waiter<T> {
  readonly condition: (state: T) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Promises that wait for a state: looked at when `notify` says that it may have changed. */
export class Waiters<T> {
  readonly #waiting: Set<Waiter<T>> = new Set();
  readonly #state: () => T;

  constructor(state: () => T) {
    this.#state = state;
  }

  until(condition: (state: T) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (condition(this.#state())) resolve();
      else this.#waiting.add({ condition, resolve, reject });
    });
  }

  notify(): void {
    if (this.#waiting.size === 0) return;
    const state = this.#state();
    for (const waiter of this.#waiting) {
      try {
        if (!waiter.condition(state)) continue;
        waiter.resolve();
      } catch (error) {
        // It is the wait that has failed, not the request or the socket that happened to be looked at.
        waiter.reject(error as Error);
      }
      this.#waiting.delete(waiter);
    }
  }

  fail(error: Error): void {
    for (const waiter of this.#waiting) waiter.reject(error);
    this.#waiting.clear();
  }
}
