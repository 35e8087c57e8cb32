/** One value in one of the queues. */
class Node<V> {
  readonly key: string;
  value: V;
  readonly size: number;
  /** How often it was asked for since it came to where it stands, up to {@link MOST_USES}. */
  uses: number;
  queue: Queue<V>;
  newer: Node<V> | undefined;
  older: Node<V> | undefined;

  constructor(key: string, value: V, size: number, uses: number, queue: Queue<V>) {
    this.key = key;
    this.value = value;
    this.size = size;
    this.uses = uses;
    this.queue = queue;
    this.newer = undefined;
    this.older = undefined;
  }
}

/** Values in the order in which they came. */
class Queue<V> {
  newest: Node<V> | undefined;
  oldest: Node<V> | undefined;
  count = 0;
  bytes = 0;

  add(node: Node<V>): void {
    node.queue = this;
    node.newer = undefined;
    node.older = this.newest;
    if (this.newest === undefined) this.oldest = node;
    else this.newest.newer = node;
    this.newest = node;
    this.count++;
    this.bytes += node.size;
  }

  remove(node: Node<V>): void {
    if (node.newer === undefined) this.newest = node.older;
    else node.newer.older = node.older;
    if (node.older === undefined) this.oldest = node.newer;
    else node.older.newer = node.newer;
    this.count--;
    this.bytes -= node.size;
  }
}

/** The keys that were added last, up to a number of them. */
class RecentKeys {
  readonly #places = new Map<string, number>();
  readonly #ring: string[] = [];
  readonly #most: number;
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(key: string): void {
    // Not the first key of the map: a map that loses its first key again and again takes ever longer to find it.
    const former = this.#ring[this.#next];
    if (former !== undefined && this.#places.get(former) === this.#next) this.#places.delete(former);
    this.#ring[this.#next] = key;
    this.#places.set(key, this.#next);
    this.#next = (this.#next + 1) % this.#most;
  }

  /** Whether the key was there. */
  take(key: string): boolean {
    return this.#places.delete(key);
  }

  clear(): void {
    this.#places.clear();
    this.#ring.length = 0;
    this.#next = 0;
  }
}

/** Two bits in the paper; more remember too long. */
const MOST_USES = 3;
/** The part of the bounds that newcomers have before they are wanted a second time. */
const NEWCOMERS = 0.1;

export interface S3FifoOptions {
  /** Values kept at most. */
  readonly max: number;
  /** The sum of their sizes at most. */
  readonly maxSize: number;
}

/**
 * A bounded map that keeps what is asked for more than once: S3-FIFO (Yang and others, "FIFO queues are all you need for cache
 * eviction", SOSP 2023). Newcomers go through a short queue, and most values that are asked for once leave at its end; what was
 * asked for again goes on to the main queue, in which each use is another round. The keys of those who left early are remembered,
 * as many as the main queue may hold: who comes back goes to the main queue at once. A hit writes one number and moves nothing.
 *
 * The names of its members are those of lru-cache, in whose place it stands.
 */
export class S3Fifo<V> {
  readonly #index = new Map<string, Node<V>>();
  readonly #newcomers = new Queue<V>();
  readonly #main = new Queue<V>();
  readonly #left: RecentKeys;
  readonly #max: number;
  readonly #maxSize: number;

  constructor({ max, maxSize }: S3FifoOptions) {
    this.#max = max;
    this.#maxSize = maxSize;
    this.#left = new RecentKeys(Math.max(1, Math.floor(max * (1 - NEWCOMERS))));
  }

  get size(): number {
    return this.#index.size;
  }

  get calculatedSize(): number {
    return this.#newcomers.bytes + this.#main.bytes;
  }

  /** The value, which counts as used. */
  get(key: string): V | undefined {
    const node = this.#index.get(key);
    if (node === undefined) return undefined;
    if (node.uses < MOST_USES) node.uses++;
    return node.value;
  }

  /** The value, without counting as used. */
  peek(key: string): V | undefined {
    return this.#index.get(key)?.value;
  }

  /** Takes a value of at most `maxSize`, and drops others until there is room for it. */
  set(key: string, value: V, { size }: { size: number }): void {
    const former = this.#index.get(key);
    if (former !== undefined) this.#remove(former);
    while (this.size >= this.#max || this.calculatedSize + size > this.#maxSize) this.#evict();
    const cameBack = this.#left.take(key);
    const queue = former?.queue ?? (cameBack ? this.#main : this.#newcomers);
    const node = new Node(key, value, size, former === undefined ? 0 : Math.min(former.uses + 1, MOST_USES), queue);
    queue.add(node);
    this.#index.set(key, node);
  }

  delete(key: string): void {
    const node = this.#index.get(key);
    if (node !== undefined) this.#remove(node);
  }

  clear(): void {
    for (const node of this.#index.values()) node.queue.remove(node);
    this.#index.clear();
    this.#left.clear();
  }

  *values(): Generator<V, void, undefined> {
    for (const { value } of this.#index.values()) yield value;
  }

  #remove(node: Node<V>): void {
    node.queue.remove(node);
    this.#index.delete(node.key);
  }

  /** Drops one value. */
  #evict(): void {
    const { count, bytes } = this.#newcomers;
    const crowded = count >= this.#max * NEWCOMERS || bytes >= this.#maxSize * NEWCOMERS;
    if ((!crowded || !this.#evictNewcomer()) && !this.#evictFromMain()) this.#evictNewcomer();
  }

  /** Drops the oldest newcomer that nobody asked for again; those before it go on to the main queue. False when there is none. */
  #evictNewcomer(): boolean {
    for (let node = this.#newcomers.oldest; node !== undefined; node = this.#newcomers.oldest) {
      if (node.uses === 0) {
        this.#remove(node);
        this.#left.add(node.key);
        return true;
      }
      this.#newcomers.remove(node);
      node.uses = 0;
      this.#main.add(node);
    }
    return false;
  }

  /** Drops the oldest value that was not asked for since it last came round. False when there is none. */
  #evictFromMain(): boolean {
    for (let node = this.#main.oldest; node !== undefined; node = this.#main.oldest) {
      if (node.uses === 0) {
        this.#remove(node);
        return true;
      }
      this.#main.remove(node);
      node.uses--;
      this.#main.add(node);
    }
    return false;
  }
}
