import { RecencyMap } from '@macadam/core';

/** So many keys are told apart. */
const MOST_KEYS = 1_000;

/** When something was to be forgotten. */
export interface Ending {
  /** What was asked for before this, in epoch milliseconds, is not to be used. */
  readonly at: number;
  /** Whether the store failed to do it, and is to be asked again. */
  isOwed: boolean;
}

/**
 * What a store is to forget and has not forgotten yet. Of more keys than are told apart the first count for all: nothing that
 * was asked for before them is used, whatever its key, so that no failure of a store, however long, brings back what has ended.
 */
export class Unforgotten {
  readonly #endings = new RecencyMap<string, Ending>();
  #allEndedAt = -Infinity;

  /** What is under the key ends now. */
  add(key: string, now: number): Ending {
    const ending = { at: now, isOwed: false };
    this.#endings.set(key, ending);
    if (this.#endings.size > MOST_KEYS) {
      this.#allEndedAt = Math.max(this.#allEndedAt, this.#endings.deleteOldest()?.[1].at ?? -Infinity);
    }
    return ending;
  }

  of(key: string): Ending | undefined {
    return this.#endings.peek(key);
  }

  /** The store has forgotten it, or has something newer in its place. Not what has ended anew since. */
  done(key: string, ending: Ending | undefined): void {
    if (ending !== undefined && this.#endings.peek(key) === ending) this.#endings.delete(key);
  }

  /** What was asked for until then is not to be used. */
  endedAt(key: string): number {
    return Math.max(this.#allEndedAt, this.#endings.peek(key)?.at ?? -Infinity);
  }

  /** The first that the store failed to forget, of those that `isReady` is true for. */
  firstOwed(isReady: (key: string) => boolean): readonly [key: string, ending: Ending] | undefined {
    for (const [key, ending] of this.#endings) if (ending.isOwed && isReady(key)) return [key, ending];
    return undefined;
  }
}
