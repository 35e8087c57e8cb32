import { hash } from 'node:crypto';
import { Doorkeeper } from './doorkeeper.ts';

/** The digest under which a token is kept, a character for each byte. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'binary');
}

/** What the cache needs to know of an entry. */
interface Slot<V> {
  readonly value: V;
  readonly bytes: number;
  readonly storedAt: number;
  used: boolean;
}

/** Bounds of a {@link TokenCache}. */
export interface TokenCacheBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** What comes while it is full: taken in at once, or only when it comes for the second time. */
  readonly whenFull: 'take' | 'take-second';
}

/**
 * Remembers what became of tokens, by the SHA-256 of their text: neither a heap dump nor a log of the keys gives a token
 * away. One cache belongs to one verifier, so no other configuration can answer from it. A full cache gives an entry
 * that was used since the last round a second chance, which costs a hit one write.
 */
export class TokenCache<V> {
  readonly #slots = new Map<string, Slot<V>>();
  readonly #bounds: TokenCacheBounds;
  #hand = this.#slots.entries();
  #bytes = 0;
  #doorkeeper: Doorkeeper | undefined;

  constructor(bounds: TokenCacheBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, now: number): V | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    if (now - slot.storedAt >= this.#bounds.maxAgeMs) {
      this.delete(key);
      return undefined;
    }
    slot.used = true;
    return slot.value;
  }

  set(key: string, value: V, bytes: number, now: number): void {
    this.delete(key);
    if (bytes > this.#bounds.maxBytes || !this.#admits(key, bytes)) return;
    // Before it is in: where all others were used it would be the first to go.
    while (this.#isFull(bytes)) this.#evictOne();
    this.#bytes += bytes;
    this.#slots.set(key, { value, bytes, storedAt: now, used: false });
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#bytes -= slot.bytes;
  }

  /** A flood of tokens that come once pushes nothing out, and is not kept for the collector of garbage either. */
  #admits(key: string, bytes: number): boolean {
    if (this.#bounds.whenFull === 'take' || !this.#isFull(bytes)) return true;
    this.#doorkeeper ??= new Doorkeeper(this.#bounds.maxEntries);
    return this.#doorkeeper.comesAgain(key);
  }

  #isFull(bytes: number): boolean {
    return this.#slots.size >= this.#bounds.maxEntries || this.#bytes + bytes > this.#bounds.maxBytes;
  }

  #evictOne(): void {
    // One hand goes round and round: a walk that began at the front each time would pass all that was evicted before.
    for (;;) {
      const { value, done } = this.#hand.next();
      if (done === true) this.#hand = this.#slots.entries();
      else if (!value[1].used) return this.delete(value[0]);
      // At the end of the round everything is unused, so this ends.
      else value[1].used = false;
    }
  }
}
