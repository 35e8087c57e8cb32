interface Link<K, V> {
  readonly key: K;
  value: V;
  older: Link<K, V> | undefined;
  newer: Link<K, V> | undefined;
}

/**
 * A map that knows which of its entries was used the longest ago, for tables that are bounded.
 *
 * A bare `Map` keeps the order of insertion, and moving an entry to its end by `delete` and `set` looks as if it did the
 * job. But what was deleted stays in the way until the map is rehashed: finding the first entry then takes as long as the
 * map is large, which is what a flood of new keys would have it do. Here every operation takes the same time.
 */
export class RecencyMap<K, V> implements Iterable<readonly [K, V]> {
  readonly #links = new Map<K, Link<K, V>>();
  #oldest: Link<K, V> | undefined;
  #newest: Link<K, V> | undefined;

  get size(): number {
    return this.#links.size;
  }

  /** The value, which is then the one used last. */
  get(key: K): V | undefined {
    const link = this.#links.get(key);
    if (link === undefined) return undefined;
    this.#touch(link);
    return link.value;
  }

  /** The value; its place in the order stays. */
  peek(key: K): V | undefined {
    return this.#links.get(key)?.value;
  }

  has(key: K): boolean {
    return this.#links.has(key);
  }

  /** Adds or replaces a value, which is then the one used last. */
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

  delete(key: K): boolean {
    const link = this.#links.get(key);
    if (link === undefined) return false;
    this.#links.delete(key);
    this.#unlink(link);
    return true;
  }

  /** The entry that was used the longest ago; it stays where it is. */
  oldest(): readonly [K, V] | undefined {
    const link = this.#oldest;
    return link === undefined ? undefined : [link.key, link.value];
  }

  /** Takes out the entry that was used the longest ago. */
  deleteOldest(): readonly [K, V] | undefined {
    const entry = this.oldest();
    if (entry !== undefined) this.delete(entry[0]);
    return entry;
  }

  clear(): void {
    this.#links.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
  }

  /** From the entry used the longest ago to the one used last. An entry may be deleted while it is visited. */
  *[Symbol.iterator](): Generator<readonly [K, V], void, undefined> {
    for (let link = this.#oldest; link !== undefined;) {
      const { key, value, newer } = link;
      yield [key, value];
      link = newer;
    }
  }

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
