/**
 * How much time each tenant used recently, so that tenants that use more than others are rejected before them. Use decays
 * by half every ten seconds. Forgets tenants that were not seen for a while, so that they do not count towards the equal
 * share. Bounded: the least recently seen tenant is evicted.
 */
import { RecencyMap } from '@macadam/core';
import { detachedCopy } from '../key.ts';

interface Use {
  amount: number;
  at: number;
}

const MAX_TENANTS = 10_000;
const HALF_LIFE_MS = 10_000;
/** After ten half-lives a thousandth of the use is left. */
const FORGET_AFTER_MS = 10 * HALF_LIFE_MS;
/** Eight times an equal share (three doublings) is the maximum excess. */
const MAX_DOUBLINGS = 3;

export class TenantUse {
  readonly #uses = new RecencyMap<string, Use>();
  readonly #total: Use = { amount: 0, at: 0 };

  add(tenant: string, amount: number, now: number): void {
    this.#forgetOld(now);
    let use = this.#uses.get(tenant);
    if (use === undefined) {
      if (this.#uses.size >= MAX_TENANTS) this.#uses.deleteOldest();
      use = { amount: 0, at: now };
      this.#uses.set(detachedCopy(tenant), use);
    }
    addUse(use, amount, now);
    addUse(this.#total, amount, now);
  }

  /** From 0 (at most an equal share of all use) to 1 (eight times that or more). */
  excess(tenant: string, now: number): number {
    const use = this.#uses.peek(tenant);
    if (use === undefined || this.#uses.size < 2) return 0;
    const equalShare = decayed(this.#total, now) / this.#uses.size;
    const ratio = decayed(use, now) / equalShare;
    return ratio > 1 ? Math.min(1, Math.log2(ratio) / MAX_DOUBLINGS) : 0;
  }

  #forgetOld(now: number): void {
    for (let oldest = this.#uses.oldest(); oldest !== undefined; oldest = this.#uses.oldest()) {
      if (now - oldest[1].at < FORGET_AFTER_MS) return;
      this.#uses.deleteOldest();
    }
  }
}

function addUse(use: Use, amount: number, now: number): void {
  use.amount = decayed(use, now) + amount;
  use.at = now;
}

function decayed({ amount, at }: Use, now: number): number {
  return amount * 2 ** (-Math.max(0, now - at) / HALF_LIFE_MS);
}
