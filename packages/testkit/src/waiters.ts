interface Waiter<T> {
  readonly condition: (state: T) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Promises that resolve when a condition on a state holds. `notify` checks the conditions after each change of the state. */
export class Waiters<T> {
  readonly #waiters: Set<Waiter<T>> = new Set();
  readonly #state: () => T;

  constructor(state: () => T) {
    this.#state = state;
  }

  until(condition: (state: T) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (condition(this.#state())) resolve();
      else this.#waiters.add({ condition, resolve, reject });
    });
  }

  notify(): void {
    if (this.#waiters.size === 0) return;
    const state = this.#state();
    for (const waiter of this.#waiters) {
      try {
        if (!waiter.condition(state)) continue;
        waiter.resolve();
      } catch (error) {
        // A condition that throws fails its own wait, not the request or socket whose event led to this check.
        waiter.reject(error as Error);
      }
      this.#waiters.delete(waiter);
    }
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }
}
