import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertObject,
  type Clock,
  OptionsError,
  withheld,
} from '@macadam/core';
import type { Decision } from './decision.ts';

/** Limits of a cache of decisions. */
export interface DecisionCacheOptions {
  /**
   * How long a decision is cached, in milliseconds. A change of what it depends on takes effect after this time.
   * Default: 10_000.
   */
  ttlMs?: number;
  /** Maximum number of decisions. Default: 10_000. */
  maxEntries?: number;
}

interface Slot {
  readonly decision: Decision;
  readonly endsAt: number;
}

/**
 * Remembers decisions, each under the version of the rules that made it. What could not be decided is not remembered. A
 * full cache forgets what came first.
 */
export class DecisionCache {
  readonly #slots = new Map<string, Slot>();
  #oldest = this.#slots.keys();
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #maxEntries: number;
  hits = 0;
  misses = 0;

  /** @throws OptionsError */
  constructor(path: string, options: DecisionCacheOptions, clock: Clock) {
    assertObject(path, options);
    assertKnownOptions(path, options, ['ttlMs', 'maxEntries']);
    const { ttlMs = 10_000, maxEntries = 10_000 } = options;
    assertDurationMs(`${path}.ttlMs`, ttlMs);
    assertInteger(`${path}.maxEntries`, maxEntries, { min: 1 });
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#slots.size;
  }

  get(key: string): Decision | undefined {
    const slot = this.#slots.get(key);
    if (slot !== undefined && this.#clock.monotonic() < slot.endsAt) {
      this.hits++;
      return slot.decision;
    }
    if (slot !== undefined) this.#slots.delete(key);
    this.misses++;
    return undefined;
  }

  set(key: string, decision: Decision): void {
    if (decision.reason === 'unavailable' || decision.reason === 'ruleFailed') return;
    this.#slots.delete(key);
    this.#slots.set(key, { decision, endsAt: this.#clock.monotonic() + this.#ttlMs });
    while (this.#slots.size > this.#maxEntries) {
      // Kept from one eviction to the next: a new walk would pass all that was evicted before.
      const { value, done } = this.#oldest.next();
      if (done === true) this.#oldest = this.#slots.keys();
      else this.#slots.delete(value);
    }
  }
}

/**
 * One text for the parts of a key: what is written in one part cannot be taken for another.
 * @throws OptionsError for a part that JSON would write as it does another one: all class instances are `{}`.
 */
export function cacheKey(version: string, action: string, parts: readonly unknown[]): string {
  if (!Array.isArray(parts)) throw new OptionsError('keyOf()', withheld(parts), 'a list of parts');
  for (const [at, part] of parts.entries()) {
    if (part === null || typeof part === 'string' || typeof part === 'boolean' || Number.isFinite(part)) continue;
    throw new OptionsError(`keyOf()[${at}]`, part, 'a text, a finite number, a boolean or null');
  }
  return JSON.stringify([version, action, ...(parts as unknown[])]);
}
