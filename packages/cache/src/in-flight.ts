/** So many keys may have come and gone before the map is made anew, however few are there. */
const MOST_GONE = 256;

/**
 * What is in flight, by key, where keys come and go all the time.
 *
 * A bare `Map` takes a new table whenever what was deleted has filled the old one, and V8 has each old table point to the next. Once
 * one of them has grown old itself, the collector of young objects keeps all that follow, with whatever was in flight when they were
 * replaced, until the whole heap is collected: nothing dies young any more, and copying all of it costs more than the work itself.
 * A map that is made anew now and then is pointed to by no other.
 */
export class InFlight<V> {
  #values = new Map<string, V>();
  #gone = 0;

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#gone++;
    if (this.#gone < Math.max(MOST_GONE, this.#values.size)) return;
    this.#gone = 0;
    this.#values = new Map(this.#values);
  }

  clear(): void {
    this.#gone = 0;
    this.#values = new Map();
  }

  /** All of it, as it is now: it may be changed meanwhile. */
  values(): V[] {
    return [...this.#values.values()];
  }
}
