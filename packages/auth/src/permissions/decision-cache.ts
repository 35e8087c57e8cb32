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
   * How long a decision is cached, in milliseconds, from when it was asked for. A change of what it depends on takes
   * effect after this time. Default: 10_000.
   */
  ttlMs?: number;
  /** Maximum number of decisions. Default: 10_000. */
  maxEntries?: number;
}

interface Entry {
  readonly decision: Decision;
  readonly askedAt: number;
}

/**
 * Caches decisions. The key contains the version of the rules. Failures (`unavailable`, `ruleFailed`) are not cached. A
 * full cache evicts the oldest entry.
 */
export class DecisionCache {
  readonly #entries = new Map<string, Entry>();
  #oldest = this.#entries.keys();
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
    return this.#entries.size;
  }

  get(key: string): Decision | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined && this.#clock.monotonic() < entry.askedAt + this.#ttlMs) {
      this.hits++;
      return entry.decision;
    }
    if (entry !== undefined) this.#entries.delete(key);
    this.misses++;
    return undefined;
  }

  /**
   * @param askedAt - when the decision was asked for, by the monotonic clock. A decision that was asked for later stays:
   * answers of a network arrive in any order.
   */
  set(key: string, decision: Decision, askedAt: number): void {
    if (decision.reason === 'unavailable' || decision.reason === 'ruleFailed') return;
    const current = this.#entries.get(key);
    if (current !== undefined && current.askedAt > askedAt) return;
    this.#entries.delete(key);
    this.#entries.set(key, { decision, askedAt });
    while (this.#entries.size > this.#maxEntries) {
      // The iterator is kept between evictions: a new one would first skip the slots of all entries deleted before.
      const { value, done } = this.#oldest.next();
      if (done === true) this.#oldest = this.#entries.keys();
      else this.#entries.delete(value);
    }
  }
}

/**
 * Serializes the parts of a key unambiguously.
 * @throws OptionsError for a part of a type whose values JSON does not distinguish: class instances become `{}`, NaN null
 */
export function cacheKey(version: string, action: string, parts: readonly unknown[]): string {
  if (!Array.isArray(parts)) throw new OptionsError('keyOf()', withheld(parts), 'a list of parts');
  for (const [at, part] of parts.entries()) {
    if (part === null || typeof part === 'string' || typeof part === 'boolean' || Number.isFinite(part)) continue;
    throw new OptionsError(`keyOf()[${at}]`, part, 'a text, a finite number, a boolean or null');
  }
  return JSON.stringify([version, action, ...(parts as unknown[])]);
}
