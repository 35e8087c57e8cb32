/** The links of an entry of a {@link WaitingLine}, kept in the entry itself. Written by the line only. */
export interface Waiting {
  /** The entry before it. Initially undefined. */
  ahead: Waiting | undefined;
  /** The entry after it. Initially undefined. */
  behind: Waiting | undefined;
  /** Whether it is in a line. Initially false. */
  waits: boolean;
}

/**
 * A queue that can be served from both ends, and whose entries can leave in constant time. The links are kept in the entries, so that
 * joining allocates nothing; an entry can be in one line at a time.
 */
export class WaitingLine<T extends Waiting> {
  /** The number of entries. */
  size = 0;
  #oldest: Waiting | undefined;
  #newest: Waiting | undefined;

  /** The entry that joined first; undefined if the line is empty. */
  get oldest(): T | undefined {
    return this.#oldest as T | undefined;
  }

  /** The entry that joined last; undefined if the line is empty. */
  get newest(): T | undefined {
    return this.#newest as T | undefined;
  }

  /** Adds an entry at the end. */
  join(one: T): void {
    one.waits = true;
    one.ahead = this.#newest;
    one.behind = undefined;
    if (this.#newest === undefined) this.#oldest = one;
    else this.#newest.behind = one;
    this.#newest = one;
    this.size++;
  }

  /** Removes an entry that is in the line. */
  leave(one: T): void {
    one.waits = false;
    if (one.ahead === undefined) this.#oldest = one.behind;
    else one.ahead.behind = one.behind;
    if (one.behind === undefined) this.#newest = one.ahead;
    else one.behind.ahead = one.ahead;
    one.ahead = one.behind = undefined;
    this.size--;
  }
}
