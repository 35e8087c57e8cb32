/** The map is rebuilt after this many deletions at the earliest, however small it is. */
const MIN_DELETES_BEFORE_REBUILD = 256;

/**
 * A map for work in flight, whose keys come and go all the time.
 *
 * A plain `Map` allocates a new table whenever deleted entries have filled the old one, and V8 links each old table to
 * the next. Once one of them is in the old generation, the young-generation collector keeps all that follow, with
 * whatever was in flight when they were replaced, until a full collection: nothing dies young any more, and copying it
 * costs more than the work itself. No other table refers to a map that is rebuilt now and then.
 */
export class InFlightMap<V> {
  #values = new Map<string, V>();
  #deletes = 0;

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
    this.#deletes++;
    if (this.#deletes < Math.max(MIN_DELETES_BEFORE_REBUILD, this.#values.size)) return;
    this.#deletes = 0;
    this.#values = new Map(this.#values);
  }

  clear(): void {
    this.#deletes = 0;
    this.#values = new Map();
  }

  /** A copy of the values, so that the map may change during the iteration. */
  values(): V[] {
    return [...this.#values.values()];
  }
}
