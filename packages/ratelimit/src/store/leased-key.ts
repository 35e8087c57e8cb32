import type { Decision } from '../decision.ts';

/** Tokens that are already debited in the store. */
export interface Lease {
  tokens: number;
  /** On the clock of this process. */
  readonly expiresAt: number;
  /** When the tokens were taken, on the clock of the store. */
  readonly stamp: number;
}

const NO_LEASE: Lease = { tokens: 0, expiresAt: -Infinity, stamp: 0 };

/** The leases of this process for one key, and the demand for the key, from which the size of the next lease follows. */
export class LeasedKey {
  /** The request for a lease that is in flight. */
  pending: Promise<void> | undefined;
  /** The last decision of the store. */
  lastDecision: Decision | undefined;
  /** Whether every request goes to the store, because few tokens are left there. */
  exact = false;
  /** The older lease, which is spent first. */
  #older = NO_LEASE;
  #newer = NO_LEASE;
  /** Tokens requested since `#countedSince`. */
  #counted = 0;
  #countedSince: number;
  /** Tokens requested per lease time, before `#countedSince`. */
  #demand = 0;

  constructor(now: number) {
    this.#countedSince = now;
  }

  /** Tokens requested in the time of a lease. */
  get demand(): number {
    return Math.max(this.#demand, this.#counted);
  }

  recordDemand(cost: number, now: number, ttlMs: number): void {
    const elapsedMs = now - this.#countedSince;
    if (elapsedMs >= ttlMs) {
      this.#demand = (this.#counted * ttlMs) / elapsedMs;
      this.#counted = 0;
      this.#countedSince = now;
    }
    this.#counted += cost;
  }

  /** Tokens of all leases that have not expired. */
  available(now: number): number {
    return tokensLeft(this.#older, now) + tokensLeft(this.#newer, now);
  }

  /** The leases that have not expired and are not used up. */
  leases(now: number): Lease[] {
    return [this.#older, this.#newer].filter((lease) => tokensLeft(lease, now) > 0);
  }

  addLease(lease: Lease, now: number): void {
    if (tokensLeft(this.#older, now) === 0) this.#older = this.#newer;
    this.#newer = lease;
  }

  /** Spends `cost`, which is at most `available`. */
  spend(cost: number, now: number): void {
    const fromOlder = Math.min(tokensLeft(this.#older, now), cost);
    this.#older.tokens -= fromOlder;
    this.#newer.tokens -= cost - fromOlder;
  }
}

function tokensLeft({ tokens, expiresAt }: Lease, now: number): number {
  return expiresAt > now ? tokens : 0;
}
