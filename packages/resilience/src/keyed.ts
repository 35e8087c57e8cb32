import { assertDurationMs, assertInteger, type Clock } from '@macadam/core';

export interface KeyedOptions {
  /** Keeps at most this many keys; the one that was not asked for the longest goes first. Default: 1 000. */
  maxKeys?: number;
  /** A key that was not asked for this long is forgotten, in milliseconds. Default: 600 000 (ten minutes). */
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
  /** In the order of last use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry<T>>();

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
    const entry = known ?? { value: this.#make(key), usedAt: now };
    if (known !== undefined) this.#entries.delete(key);
    else if (this.#entries.size >= this.#maxKeys) this.#forgetOldest();
    entry.usedAt = now;
    this.#entries.set(key, entry);
    return entry.value;
  }

  *values(): IterableIterator<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #forgetIdle(now: number): void {
    for (const [key, { usedAt }] of this.#entries) {
      if (now - usedAt < this.#idleMs) return;
      this.#entries.delete(key);
    }
  }

  #forgetOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
