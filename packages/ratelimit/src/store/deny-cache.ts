import { RecencyMap } from '@macadam/core';
import type { Decision } from '../decision.ts';
import { detachedCopy } from '../key.ts';

/** A denial is repeated for at most so long without asking: a refund or reset elsewhere is seen after that. */
const MAX_REPEAT_MS = 1_000;

interface Denial {
  readonly decision: Decision;
  readonly cost: number;
  /** Until when it is sure to hold, and from when on it is sure not to: the answer was on its way for some time between the two. */
  readonly holdsUntil: number;
  readonly overAt: number;
}

/**
 * Denials that still hold, so that a flooder over its limit costs no round trip. A denial of some cost says the same of
 * every higher one until its `retryAfterMs` has passed. Bounded: the oldest goes first.
 */
export class DenyCache {
  readonly #denials = new RecencyMap<string, Denial>();
  readonly #maxKeys: number;
  hits = 0;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  get(key: string, cost: number, now: number): Decision | undefined {
    const denial = this.#denials.peek(key);
    if (denial === undefined) return undefined;
    const { decision, holdsUntil, overAt } = denial;
    const leftMs = holdsUntil - now;
    if (leftMs <= 0 || leftMs < decision.retryAfterMs - MAX_REPEAT_MS) {
      this.#denials.delete(key);
      return undefined;
    }
    if (cost < denial.cost) return undefined;
    this.hits++;
    const passedMs = decision.retryAfterMs - (overAt - now);
    return {
      ...decision,
      // Whoever comes back then must not be too early, so it counts from when the answer came.
      retryAfterMs: Math.ceil(overAt - now),
      resetAfterMs: Math.max(0, Math.ceil(decision.resetAfterMs - passedMs)),
      source: 'denyCache',
    };
  }

  /** `askedAt` and `answeredAt` are when the request was sent and answered: it was decided somewhere between. */
  remember(key: string, cost: number, decision: Decision, askedAt: number, answeredAt: number): void {
    const { retryAfterMs } = decision;
    if (!(retryAfterMs > 0 && retryAfterMs < Infinity)) return;
    if (this.#denials.size >= this.#maxKeys && !this.#denials.has(key)) this.#denials.deleteOldest();
    const [holdsUntil, overAt] = [askedAt + retryAfterMs, answeredAt + retryAfterMs];
    this.#denials.set(detachedCopy(key), { decision, cost, holdsUntil, overAt });
  }

  clear(): void {
    this.#denials.clear();
  }

  forget(key: string): void {
    this.#denials.delete(key);
  }
}
