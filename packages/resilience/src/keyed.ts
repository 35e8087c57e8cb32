import { assertDurationMs, assertInteger, type Clock, RecencyMap } from '@macadam/core';

/** How many keys a keyed collection keeps, and for how long. */
export interface KeyedOptions {
  /** Maximum number of keys, at least 1; the least recently used one is dropped first. Default: 1 000. */
  maxKeys?: number;
  /** How long an unused key is kept, in milliseconds, above 0; `Infinity` for no limit. Default: 600 000 (10 minutes). */
  idleMs?: number;
}

interface Entry<T> {
  readonly value: T;
  usedAt: number;
}

/** One object per key, created on first use; bounded by number and by idle time, without timers. */
export class Keyed<T> {
  readonly #create: (key: string) => T;
  readonly #maxKeys: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #entries = new RecencyMap<string, Entry<T>>();

  constructor(path: string, options: KeyedOptions, clock: Clock, create: (key: string) => T) {
    const { maxKeys = 1_000, idleMs = 600_000 } = options;
    assertInteger(`${path}.maxKeys`, maxKeys, { min: 1 });
    assertDurationMs(`${path}.idleMs`, idleMs, { above: 0, infinite: true });
    this.#create = create;
    this.#maxKeys = maxKeys;
    this.#idleMs = idleMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  for(key: string): T {
    const now = this.#clock.monotonic();
    this.#evictIdle(now);
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.usedAt = now;
      return entry.value;
    }
    if (this.#entries.size >= this.#maxKeys) this.#entries.deleteOldest();
    const value = this.#create(key);
    this.#entries.set(key, { value, usedAt: now });
    return value;
  }

  *values(): IterableIterator<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #evictIdle(now: number): void {
    for (let oldest = this.#entries.oldest(); oldest !== undefined; oldest = this.#entries.oldest()) {
      if (now - oldest[1].usedAt < this.#idleMs) return;
      this.#entries.deleteOldest();
    }
  }
}
