import { RecencyMap } from '@macadam/core';

/** Maximum number of keys with an invalidation time of their own. */
const MAX_KEYS = 1_000;

/** An invalidation that the store has not carried out for certain. */
export interface Invalidation {
  /** Responses requested at this time or before are not used. Epoch milliseconds. */
  readonly atMs: number;
  /** Whether the deletion failed and is to be retried. */
  needsRetry: boolean;
}

/**
 * Invalidations that a store has not carried out yet. Beyond {@link MAX_KEYS} keys, the time of the oldest invalidation
 * counts for every key: responses requested before it are not used, whatever their key. So a failure of the store, however
 * long, never brings back an invalidated response.
 */
export class PendingInvalidations {
  readonly #byKey = new RecencyMap<string, Invalidation>();
  #allInvalidatedAtMs = -Infinity;

  add(key: string, nowMs: number): Invalidation {
    const invalidation = { atMs: nowMs, needsRetry: false };
    this.#byKey.set(key, invalidation);
    if (this.#byKey.size > MAX_KEYS) {
      this.#allInvalidatedAtMs = Math.max(this.#allInvalidatedAtMs, this.#byKey.deleteOldest()?.[1].atMs ?? -Infinity);
    }
    return invalidation;
  }

  get(key: string): Invalidation | undefined {
    return this.#byKey.peek(key);
  }

  /** The store has deleted the key or holds something newer. Has no effect on a later invalidation of the key. */
  settle(key: string, invalidation: Invalidation | undefined): void {
    if (invalidation !== undefined && this.#byKey.peek(key) === invalidation) this.#byKey.delete(key);
  }

  /** Responses requested at this time or before are not used; -Infinity when all may be used. */
  invalidatedAtMs(key: string): number {
    return Math.max(this.#allInvalidatedAtMs, this.#byKey.peek(key)?.atMs ?? -Infinity);
  }

  /** The oldest invalidation to retry, among the keys for which `isReady` is true. */
  firstToRetry(isReady: (key: string) => boolean): readonly [key: string, invalidation: Invalidation] | undefined {
    for (const [key, invalidation] of this.#byKey) {
      if (invalidation.needsRetry && isReady(key)) return [key, invalidation];
    }
    return undefined;
  }
}
