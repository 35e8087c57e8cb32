import { LRUCache } from 'lru-cache';
import type { Entry } from './entry.ts';
import type { MemoryOptions } from './memory-options.ts';
import { S3Fifo } from './s3-fifo.ts';

/** What an entry costs in addition to its value: its own fields and the slot of its key. */
const ENTRY_BYTES = 200;

/**
 * Given to each `get` of lru-cache: without options it allocates an object per call and asks its diagnostics channel
 * twice.
 */
const GET_OPTIONS = { status: null } as never;

/**
 * The bounded map behind the memory tier: LRU or S3-FIFO, limited by entries and estimated bytes. Freshness is in the
 * entries, where it can change without a second lookup; the `ttl` and `fetch` of lru-cache are not used.
 */
export class Memory<T> {
  readonly #entries: LRUCache<string, Entry<T>> | S3Fifo<Entry<T>>;
  readonly #maxBytes: number;
  evictions = 0;
  /** Values that were too large to store. */
  oversized = 0;

  constructor({ maxEntries, maxBytes, eviction }: Required<MemoryOptions>) {
    this.#maxBytes = maxBytes;
    const bounds = { max: maxEntries, maxSize: Math.min(Math.max(1, maxBytes), Number.MAX_SAFE_INTEGER) };
    this.#entries = eviction === 'lru' ? new LRUCache<string, Entry<T>>(bounds) : new S3Fifo<Entry<T>>(bounds);
  }

  /** False for `l1: false`: nothing is stored. */
  get isEnabled(): boolean {
    return this.#maxBytes > 0;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** Returns the entry. Counts as a use. */
  get(key: string): Entry<T> | undefined {
    return this.#entries.get(key, GET_OPTIONS);
  }

  /** Returns the entry without counting as a use. */
  peek(key: string): Entry<T> | undefined {
    return this.#entries.peek(key);
  }

  set(key: string, entry: Entry<T>): void {
    if (this.#maxBytes === 0) return;
    const replaced = this.#entries.peek(key);
    if (replaced !== undefined) replaced.removed = true;
    const size = entry.bytes + key.length * 2 + ENTRY_BYTES;
    if (size > this.#maxBytes) {
      this.oversized++;
      this.#entries.delete(key);
      return;
    }
    const before = this.#entries.size + (replaced === undefined ? 1 : 0);
    this.#entries.set(key, entry, { size });
    this.evictions += before - this.#entries.size;
  }

  delete(key: string): void {
    const entry = this.#entries.peek(key);
    if (entry === undefined) return;
    entry.removed = true;
    this.#entries.delete(key);
  }

  clear(): void {
    for (const entry of this.#entries.values()) entry.removed = true;
    this.#entries.clear();
  }
}
