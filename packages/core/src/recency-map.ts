interface Link<K, V> {
  readonly key: K;
  value: V;
  older: Link<K, V> | undefined;
  newer: Link<K, V> | undefined;
}

/**
 * A map that knows its least recently used entry, for bounded tables.
 *
 * A plain `Map` keeps insertion order, and moving an entry to the end by `delete` and `set` seems to do. But deleted entries stay in
 * place until the map is rehashed, so that finding the first entry takes time in proportion to the size of the map. Here every operation
 * takes constant time.
 */
export class RecencyMap<K, V> implements Iterable<readonly [K, V]> {
  readonly #links = new Map<K, Link<K, V>>();
  #oldest: Link<K, V> | undefined;
  #newest: Link<K, V> | undefined;

  /** The number of entries. */
  get size(): number {
    return this.#links.size;
  }

  /** Returns the value of a key, and makes it the most recently used one. */
  get(key: K): V | undefined {
    const link = this.#links.get(key);
    if (link === undefined) return undefined;
    this.#touch(link);
    return link.value;
  }

  /** Returns the value of a key without changing the order. */
  peek(key: K): V | undefined {
    return this.#links.get(key)?.value;
  }

  /** Whether the map has the key; does not change the order. */
  has(key: K): boolean {
    return this.#links.has(key);
  }

  /** Adds or replaces a value, and makes it the most recently used one. */
  set(key: K, value: V): void {
    const known = this.#links.get(key);
    if (known !== undefined) {
      known.value = value;
      this.#touch(known);
      return;
    }
    const link: Link<K, V> = { key, value, older: undefined, newer: undefined };
    this.#links.set(key, link);
    this.#append(link);
  }

  /** Removes an entry; returns whether there was one. */
  delete(key: K): boolean {
    const link = this.#links.get(key);
    if (link === undefined) return false;
    this.#links.delete(key);
    this.#unlink(link);
    return true;
  }

  /** Returns the least recently used entry without changing the order. */
  oldest(): readonly [K, V] | undefined {
    const link = this.#oldest;
    return link === undefined ? undefined : [link.key, link.value];
  }

  /** Removes and returns the least recently used entry. */
  deleteOldest(): readonly [K, V] | undefined {
    const entry = this.oldest();
    if (entry !== undefined) this.delete(entry[0]);
    return entry;
  }

  /** Removes all entries. */
  clear(): void {
    this.#links.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
  }

  /** Iterates from the least to the most recently used entry. The entry visited may be deleted. */
  *[Symbol.iterator](): Generator<readonly [K, V], void, undefined> {
    for (let link = this.#oldest; link !== undefined;) {
      const { key, value, newer } = link;
      yield [key, value];
      link = newer;
    }
  }

  /** Iterates over the values, from the least to the most recently used one. */
  *values(): Generator<V, void, undefined> {
    for (const [, value] of this) yield value;
  }

  #touch(link: Link<K, V>): void {
    if (link === this.#newest) return;
    this.#unlink(link);
    this.#append(link);
  }

  #append(link: Link<K, V>): void {
    link.older = this.#newest;
    link.newer = undefined;
    if (this.#newest === undefined) this.#oldest = link;
    else this.#newest.newer = link;
    this.#newest = link;
  }

  #unlink({ older, newer }: Link<K, V>): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}
