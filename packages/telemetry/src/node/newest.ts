/** The newest items, up to a limit, and the number of older ones that were dropped for them. */
export class Newest<T> {
  readonly items: T[] = [];
  dropped = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T): void {
    this.items.push(item);
    if (this.items.length <= this.#limit) return;
    this.items.shift();
    this.dropped++;
  }
}
