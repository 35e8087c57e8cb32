import type { Decision } from '../decision.ts';

/** Tokens that were paid for. */
export interface Lease {
  tokens: number;
  readonly expiresAt: number;
  /** When they were taken, on the store's clock. */
  readonly stamp: number;
}

const NOTHING: Lease = { tokens: 0, expiresAt: -Infinity, stamp: 0 };

/** What a process holds of one key, and how much of it is asked for. */
export class LeasedKey {
  /** The request for a loan that is under way. */
  asking: Promise<void> | undefined;
  /** The store's last answer. */
  last: Decision | undefined;
  /** Little is left: every request asks the store. */
  exact = false;
  /** The older one is spent first. */
  #first = NOTHING;
  #second = NOTHING;
  /** What was asked for since `#countedSince`, and in the time of a loan before. */
  #counted = 0;
  #countedSince: number;
  #demand = 0;

  constructor(now: number) {
    this.#countedSince = now;
  }

  /** What is asked for in the time of a loan. */
  get demand(): number {
    return Math.max(this.#demand, this.#counted);
  }

  count(cost: number, now: number, ttlMs: number): void {
    const elapsedMs = now - this.#countedSince;
    if (elapsedMs >= ttlMs) {
      this.#demand = (this.#counted * ttlMs) / elapsedMs;
      this.#counted = 0;
      this.#countedSince = now;
    }
    this.#counted += cost;
  }

  held(now: number): number {
    return left(this.#first, now) + left(this.#second, now);
  }

  /** The loans that are not used up. */
  loans(now: number): Lease[] {
    return [this.#first, this.#second].filter((loan) => left(loan, now) > 0);
  }

  lend(loan: Lease, now: number): void {
    if (left(this.#first, now) === 0) this.#first = this.#second;
    this.#second = loan;
  }

  /** Spends what is held. */
  spend(cost: number, now: number): void {
    const fromFirst = Math.min(left(this.#first, now), cost);
    this.#first.tokens -= fromFirst;
    this.#second.tokens -= cost - fromFirst;
  }
}

function left({ tokens, expiresAt }: Lease, now: number): number {
  return expiresAt > now ? tokens : 0;
}
