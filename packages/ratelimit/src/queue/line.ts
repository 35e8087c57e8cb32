/** Someone who stands in a {@link Line}. Only the line writes it. */
export interface Standing {
  /** The place, counted since the line was made; -1 for one who stands in none. */
  spot: number;
}

/** A queue that serves from either end, and from whose middle one can leave: a list with holes, closed up in passing. */
export class Line<T extends Standing> {
  size = 0;
  #places: (T | undefined)[] = [];
  /** The place of the first in the list. */
  #offset = 0;
  #head = 0;

  join(one: T): void {
    one.spot = this.#offset + this.#places.length;
    this.#places.push(one);
    this.size++;
  }

  leave(one: T): void {
    this.#places[one.spot - this.#offset] = undefined;
    one.spot = -1;
    this.size--;
    if (this.size === 0) this.#restart();
  }

  oldest(): T | undefined {
    if (this.size === 0) return undefined;
    while (this.#places[this.#head] === undefined) this.#head++;
    // Served from the front for long, the list would only grow.
    if (this.#head > 32 && this.#head * 2 > this.#places.length) {
      this.#places = this.#places.slice(this.#head);
      this.#offset += this.#head;
      this.#head = 0;
    }
    return this.#places[this.#head];
  }

  newest(): T | undefined {
    if (this.size === 0) return undefined;
    while (this.#places.at(-1) === undefined) this.#places.pop();
    return this.#places.at(-1);
  }

  #restart(): void {
    this.#offset += this.#places.length;
    this.#places = [];
    this.#head = 0;
  }
}
