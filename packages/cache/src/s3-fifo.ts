/** One value in the small or the main queue. */
class Node<V> {
  readonly key: string;
  value: V;
  readonly size: number;
  /** How often it was read since it entered its queue or was last reinserted, up to {@link MAX_FREQUENCY}. */
  frequency: number;
  queue: Queue<V>;
  newer: Node<V> | undefined;
  older: Node<V> | undefined;

  constructor(key: string, value: V, size: number, uses: number, queue: Queue<V>) {
    this.key = key;
    this.value = value;
    this.size = size;
    this.frequency = uses;
    this.queue = queue;
    this.newer = undefined;
    this.older = undefined;
  }
}

/** A FIFO queue of values, as a doubly linked list. */
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

/** The ghost queue: the keys evicted most recently from the small queue, without their values. */
class GhostQueue {
  readonly #positions = new Map<string, number>();
  readonly #ring: string[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(key: string): void {
    // A ring decides which key is dropped, not the insertion order of the map: a map that loses its first key again and
    // again takes ever longer to find it.
    const previous = this.#ring[this.#next];
    if (previous !== undefined && this.#positions.get(previous) === this.#next) this.#positions.delete(previous);
    this.#ring[this.#next] = key;
    this.#positions.set(key, this.#next);
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /** Removes the key. Returns whether it was there. */
  take(key: string): boolean {
    return this.#positions.delete(key);
  }

  clear(): void {
    this.#positions.clear();
    this.#ring.length = 0;
    this.#next = 0;
  }
}

/** Two bits, as in the paper; larger counts remember too long. */
const MAX_FREQUENCY = 3;
/** The share of the bounds that belongs to the small queue, as in the paper. */
const SMALL_QUEUE_RATIO = 0.1;

export interface S3FifoOptions {
  /** Maximum number of values. */
  readonly max: number;
  /** Maximum sum of their sizes. */
  readonly maxSize: number;
}

/**
 * A bounded map with the S3-FIFO eviction policy (Yang and others, "FIFO queues are all you need for cache eviction",
 * SOSP 2023). New values enter the small queue. Most values that are read only once are evicted at its end; those that
 * were read again move to the main queue, where each read is worth another round. The ghost queue remembers the evicted
 * keys, as many as the main queue may hold: a key that returns goes to the main queue directly. A hit writes one number
 * and moves nothing.
 *
 * The members have the names of those of lru-cache, which it can replace.
 */
export class S3Fifo<V> {
  readonly #index = new Map<string, Node<V>>();
  readonly #small = new Queue<V>();
  readonly #main = new Queue<V>();
  readonly #ghost: GhostQueue;
  readonly #max: number;
  readonly #maxSize: number;

  constructor({ max, maxSize }: S3FifoOptions) {
    this.#max = max;
    this.#maxSize = maxSize;
    this.#ghost = new GhostQueue(Math.max(1, Math.floor(max * (1 - SMALL_QUEUE_RATIO))));
  }

  get size(): number {
    return this.#index.size;
  }

  get calculatedSize(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  /** Returns the value. Counts as a use. */
  get(key: string): V | undefined {
    const node = this.#index.get(key);
    if (node === undefined) return undefined;
    if (node.frequency < MAX_FREQUENCY) node.frequency++;
    return node.value;
  }

  /** Returns the value without counting as a use. */
  peek(key: string): V | undefined {
    return this.#index.get(key)?.value;
  }

  /** Stores a value of at most `maxSize`, and evicts others until there is room. */
  set(key: string, value: V, { size }: { size: number }): void {
    const previous = this.#index.get(key);
    if (previous !== undefined) this.#remove(previous);
    while (this.size >= this.#max || this.calculatedSize + size > this.#maxSize) this.#evict();
    const wasEvictedRecently = this.#ghost.take(key);
    const queue = previous?.queue ?? (wasEvictedRecently ? this.#main : this.#small);
    const node = new Node(
      key,
      value,
      size,
      previous === undefined ? 0 : Math.min(previous.frequency + 1, MAX_FREQUENCY),
      queue,
    );
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
    this.#ghost.clear();
  }

  *values(): Generator<V, void, undefined> {
    for (const { value } of this.#index.values()) yield value;
  }

  #remove(node: Node<V>): void {
    node.queue.remove(node);
    this.#index.delete(node.key);
  }

  /** Evicts one value, from the small queue if that is full. */
  #evict(): void {
    const { count, bytes } = this.#small;
    const isSmallFull = count >= this.#max * SMALL_QUEUE_RATIO || bytes >= this.#maxSize * SMALL_QUEUE_RATIO;
    if ((!isSmallFull || !this.#evictFromSmall()) && !this.#evictFromMain()) this.#evictFromSmall();
  }

  /**
   * Evicts the oldest value of the small queue that was not read again, and moves those before it to the main queue.
   * False when there is none.
   */
  #evictFromSmall(): boolean {
    for (let node = this.#small.oldest; node !== undefined; node = this.#small.oldest) {
      if (node.frequency === 0) {
        this.#remove(node);
        this.#ghost.add(node.key);
        return true;
      }
      this.#small.remove(node);
      node.frequency = 0;
      this.#main.add(node);
    }
    return false;
  }

  /**
   * Evicts the oldest value of the main queue that was not read since its last round. False when the queue is empty.
   */
  #evictFromMain(): boolean {
    for (let node = this.#main.oldest; node !== undefined; node = this.#main.oldest) {
      if (node.frequency === 0) {
        this.#remove(node);
        return true;
      }
      this.#main.remove(node);
      node.frequency--;
      this.#main.add(node);
    }
    return false;
  }
}
