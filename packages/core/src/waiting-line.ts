/** A place in a {@link WaitingLine}, kept in the one who waits: it begins `undefined`, `undefined`, `false`, and only the line writes it. */
export interface Waiting {
  ahead: Waiting | undefined;
  behind: Waiting | undefined;
  waits: boolean;
}

/**
 * A queue that serves from either end, and from whose middle one can leave in one step: who waits in it carries the place, so
 * that joining allocates nothing. Somebody can stand in one line at a time.
 */
export class WaitingLine<T extends Waiting> {
  size = 0;
  #oldest: Waiting | undefined;
  #newest: Waiting | undefined;

  get oldest(): T | undefined {
    return this.#oldest as T | undefined;
  }

  get newest(): T | undefined {
    return this.#newest as T | undefined;
  }

  join(one: T): void {
    one.waits = true;
    one.ahead = this.#newest;
    one.behind = undefined;
    if (this.#newest === undefined) this.#oldest = one;
    else this.#newest.behind = one;
    this.#newest = one;
    this.size++;
  }

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
