import { hash } from 'node:crypto';
import { Doorkeeper } from './doorkeeper.ts';

/** The SHA-256 of a token, one character per byte: its key in the cache. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'binary');
}

interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
  readonly storedAt: number;
  isReferenced: boolean;
}

/** Bounds of a {@link TokenCache}. */
export interface TokenCacheBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Whether a full cache admits a new token at once, or only when it comes for the second time. */
  readonly admitWhenFull: 'always' | 'secondTime';
}

/**
 * Caches the result of verifying a token. The key is the SHA-256 of the token, so that neither a heap dump nor a log of
 * the keys reveals it. A cache belongs to one verifier: another configuration never reads its results.
 *
 * Eviction is CLOCK (second chance): an entry that was hit since the hand last passed is spared once. A hit costs one
 * write.
 */
export class TokenCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #bounds: TokenCacheBounds;
  #clockHand = this.#entries.entries();
  #bytes = 0;
  #doorkeeper: Doorkeeper | undefined;

  constructor(bounds: TokenCacheBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now - entry.storedAt >= this.#bounds.maxAgeMs) {
      this.delete(key);
      return undefined;
    }
    entry.isReferenced = true;
    return entry.value;
  }

  set(key: string, value: V, bytes: number, now: number): void {
    this.delete(key);
    if (bytes > this.#bounds.maxBytes || !this.#admits(key, bytes)) return;
    // Before the new entry is added: if all others were referenced, the new one would be evicted first.
    while (this.#isFull(bytes)) this.#evictOne();
    this.#bytes += bytes;
    this.#entries.set(key, { value, bytes, storedAt: now, isReferenced: false });
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  /** With 'secondTime', a flood of tokens that come only once evicts nothing, and creates no garbage. */
  #admits(key: string, bytes: number): boolean {
    if (this.#bounds.admitWhenFull === 'always' || !this.#isFull(bytes)) return true;
    this.#doorkeeper ??= new Doorkeeper(this.#bounds.maxEntries);
    return this.#doorkeeper.testAndSet(key);
  }

  #isFull(bytes: number): boolean {
    return this.#entries.size >= this.#bounds.maxEntries || this.#bytes + bytes > this.#bounds.maxBytes;
  }

  #evictOne(): void {
    // The iterator is kept between evictions: a new one would first skip the slots of all entries deleted before.
    for (;;) {
      const { value, done } = this.#clockHand.next();
      if (done === true) this.#clockHand = this.#entries.entries();
      else if (!value[1].isReferenced) return this.delete(value[0]);
      // After one full round no entry is referenced, so the loop ends.
      else value[1].isReferenced = false;
    }
  }
}
