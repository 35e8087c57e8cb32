import type { StoredResponse } from './stored-response.ts';

/** A change to the stored responses of one URL. */
export interface Change {
  /** Whether the URL was invalidated after the request behind this change began. */
  readonly isInvalidated: () => boolean;
  /** Whether the URL must rather be deleted than left as it is, if the change cannot be written. */
  readonly isRemoval: boolean;
  /** The stored responses after the change, newest first; the same list when there is nothing to change. */
  readonly apply: (stored: readonly StoredResponse[]) => readonly StoredResponse[];
}

/** Reads the stored responses of a URL, applies changes to them and writes the result. Returns the changes that are in it. */
type MakeChanges = (url: string, changes: readonly Change[]) => Promise<ReadonlySet<Change>>;

interface Batch {
  readonly changes: Change[];
  hasBegun: boolean;
  made: Promise<ReadonlySet<Change>> | undefined;
}

/**
 * Makes the changes to one URL one after the other, so that none overwrites another. Those that wait for an earlier one are
 * made together: a slow store gets one write for all of them.
 */
export class ChangeQueue {
  readonly #make: MakeChanges;
  /** The newest batch of each URL. */
  readonly #batches = new Map<string, Batch>();

  constructor(make: MakeChanges) {
    this.#make = make;
  }

  /** Resolves with whether the change was written. */
  async add(url: string, change: Change): Promise<boolean> {
    let batch = this.#batches.get(url);
    if (batch === undefined || batch.hasBegun) {
      const earlier = batch?.made;
      batch = { changes: [], hasBegun: false, made: undefined };
      this.#batches.set(url, batch);
      batch.made = this.#run(url, batch, earlier);
    }
    batch.changes.push(change);
    return (await (batch.made as Promise<ReadonlySet<Change>>)).has(change);
  }

  async #run(url: string, batch: Batch, earlier: Promise<unknown> | undefined): Promise<ReadonlySet<Change>> {
    await earlier;
    batch.hasBegun = true;
    try {
      return await this.#make(url, batch.changes);
    } finally {
      if (this.#batches.get(url) === batch) this.#batches.delete(url);
    }
  }
}
