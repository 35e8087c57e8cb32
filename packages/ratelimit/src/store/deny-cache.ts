import { RecencyMap } from '@macadam/core';
import type { Decision } from '../decision.ts';
import { ownText } from '../subject.ts';

/** A denial is repeated for at most so long without asking: a refund or reset elsewhere is seen after that. */
const LONGEST_MS = 1_000;

interface Denial {
  readonly decision: Decision;
  readonly cost: number;
  readonly until: number;
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
    const leftMs = denial.until - now;
    if (leftMs <= 0 || leftMs < denial.decision.retryAfterMs - LONGEST_MS) {
      this.#denials.delete(key);
      return undefined;
    }
    if (cost < denial.cost) return undefined;
    this.hits++;
    const { decision } = denial;
    const passedMs = decision.retryAfterMs - leftMs;
    return {
      ...decision,
      retryAfterMs: Math.ceil(leftMs),
      resetAfterMs: Math.max(0, Math.ceil(decision.resetAfterMs - passedMs)),
      source: 'denyCache',
    };
  }

  /** `askedAt` is when the request was sent: the answer may have been under way for some time. */
  remember(key: string, cost: number, decision: Decision, askedAt: number): void {
    if (!(decision.retryAfterMs > 0 && decision.retryAfterMs < Infinity)) return;
    if (this.#denials.size >= this.#maxKeys && !this.#denials.has(key)) this.#denials.deleteOldest();
    this.#denials.set(ownText(key), { decision, cost, until: askedAt + decision.retryAfterMs });
  }

  clear(): void {
    this.#denials.clear();
  }

  forget(key: string): void {
    this.#denials.delete(key);
  }
}
