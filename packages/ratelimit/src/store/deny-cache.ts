import { RecencyMap } from '@macadam/core';
import type { Decision } from '../decision.ts';
import { detachedCopy } from '../key.ts';

/** The longest time for which a denial is repeated: a refund or reset by another process takes effect after that. */
const MAX_REPEAT_MS = 1_000;

interface Denial {
  readonly decision: Decision;
  readonly cost: number;
  /** The denial is certainly valid until here: `retryAfterMs` after the request was sent. */
  readonly validUntil: number;
  /** A retry is certainly allowed from here on: `retryAfterMs` after the response arrived. */
  readonly retryAt: number;
}

/**
 * Repeats recent denials of a shared store, so that a client over its limit costs no round trips. A denial holds for the
 * same cost, until its `retryAfterMs` has passed: for a higher cost that would be too early. Bounded: the oldest denial is
 * evicted.
 */
export class DenyCache {
  readonly #denials = new RecencyMap<string, Denial>();
  /** Until when the denials of a key are outdated. */
  readonly #outdatedUntil = new RecencyMap<string, number>();
  readonly #maxKeys: number;
  hits = 0;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get(key: string, cost: number, now: number): Decision | undefined {
    const denial = this.#denials.peek(key);
    if (denial?.cost !== cost) return undefined;
    const { decision, validUntil, retryAt } = denial;
    const leftMs = validUntil - now;
    if (leftMs <= 0 || leftMs < decision.retryAfterMs - MAX_REPEAT_MS) {
      this.#denials.delete(key);
      return undefined;
    }
    this.hits++;
    const passedMs = decision.retryAfterMs - (retryAt - now);
    return {
      ...decision,
      // Counted from the arrival of the response, so that a retry is never too early.
      retryAfterMs: Math.ceil(retryAt - now),
      resetAfterMs: Math.max(0, Math.ceil(decision.resetAfterMs - passedMs)),
      source: 'denyCache',
    };
  }

  /** `requestedAt` and `respondedAt` enclose the time of the decision. */
  add(key: string, cost: number, decision: Decision, requestedAt: number, respondedAt: number): void {
    const { retryAfterMs } = decision;
    if (!(retryAfterMs > 0 && retryAfterMs < Infinity)) return;
    if (requestedAt <= (this.#outdatedUntil.peek(key) ?? -Infinity)) return;
    const [validUntil, retryAt] = [requestedAt + retryAfterMs, respondedAt + retryAfterMs];
    this.#set(this.#denials, key, { decision, cost, validUntil, retryAt });
  }

  /** Forgets the denial of a key that was updated, and ignores those of requests until now, which may still be in flight. */
  outdate(key: string, now: number): void {
    this.#denials.delete(key);
    this.#set(this.#outdatedUntil, key, now);
  }

  clear(): void {
    this.#denials.clear();
  }

  #set<T>(map: RecencyMap<string, T>, key: string, value: T): void {
    if (map.size >= this.#maxKeys && !map.has(key)) map.deleteOldest();
    map.set(detachedCopy(key), value);
  }
}
