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

/** One object for each key, made when first asked for; bounded by count and by idle time, without timers. */
export class Keyed<T> {
  readonly #make: (key: string) => T;
  readonly #maxKeys: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #entries = new RecencyMap<string, Entry<T>>();

  constructor(path: string, options: KeyedOptions, clock: Clock, make: (key: string) => T) {
    const { maxKeys = 1_000, idleMs = 600_000 } = options;
    assertInteger(`${path}.maxKeys`, maxKeys, { min: 1 });
    assertDurationMs(`${path}.idleMs`, idleMs, { above: 0, infinite: true });
    this.#make = make;
    this.#maxKeys = maxKeys;
    this.#idleMs = idleMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  for(key: string): T {
    const now = this.#clock.monotonic();
    this.#forgetIdle(now);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedAt = now;
      return known.value;
    }
    if (this.#entries.size >= this.#maxKeys) this.#entries.deleteOldest();
    const value = this.#make(key);
    this.#entries.set(key, { value, usedAt: now });
    return value;
  }

  *values(): IterableIterator<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #forgetIdle(now: number): void {
    for (let oldest = this.#entries.oldest(); oldest !== undefined; oldest = this.#entries.oldest()) {
      if (now - oldest[1].usedAt < this.#idleMs) return;
      this.#entries.deleteOldest();
    }
  }
}
