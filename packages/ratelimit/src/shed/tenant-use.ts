/**
 * How much of the recent time each tenant used, so that who uses more than others is refused before them. Use fades by half
 * every ten seconds. Bounded: the tenant that was seen the longest ago is forgotten.
 */
import { RecencyMap } from '@macadam/core';
import { ownText } from '../subject.ts';

interface Use {
  amount: number;
  at: number;
}

const MOST_TENANTS = 10_000;
const HALF_LIFE_MS = 10_000;
/** Eight times one's share, which is three doublings, is as bad as it gets. */
const WORST_DOUBLINGS = 3;

export class TenantUse {
  readonly #uses = new RecencyMap<string, Use>();
  readonly #total: Use = { amount: 0, at: 0 };

  add(tenant: string, amount: number, now: number): void {
    let use = this.#uses.get(tenant);
    if (use === undefined) {
      if (this.#uses.size >= MOST_TENANTS) this.#uses.deleteOldest();
      use = { amount: 0, at: now };
      this.#uses.set(ownText(tenant), use);
    }
    grow(use, amount, now);
    grow(this.#total, amount, now);
  }

  /** From 0, no more than an equal share of all that was used, to 1, eight times as much or more. */
  excess(tenant: string, now: number): number {
    const use = this.#uses.peek(tenant);
    if (use === undefined || this.#uses.size < 2) return 0;
    const fair = faded(this.#total, now) / this.#uses.size;
    const times = faded(use, now) / fair;
    return times > 1 ? Math.min(1, Math.log2(times) / WORST_DOUBLINGS) : 0;
  }
}

function grow(use: Use, amount: number, now: number): void {
  use.amount = faded(use, now) + amount;
  use.at = now;
}

function faded({ amount, at }: Use, now: number): number {
  return amount * 2 ** (-Math.max(0, now - at) / HALF_LIFE_MS);
}
