import type { Decision } from '../decision.ts';

/** Tokens that are already debited in the store. */
export interface Lease {
  tokens: number;
  /** On the clock of this process. */
  readonly expiresAt: number;
  /** When the tokens were taken, on the clock of the store. */
  readonly stamp: number;
  /** Whether they were taken from the fallback, since the store did not respond. */
  readonly degraded: boolean;
}

/** Replaces these fields of the last decision of the store, which may be a denial. */
const GRANTED = { allowed: true, retryAfterMs: 0 } as const;

/** The leases of this process for one key, and the demand for the key, from which the size of the next lease follows. */
export class LeasedKey {
  /** The request for a lease that is in flight. */
  pending: Promise<void> | undefined;
  /** The last decision of the store. */
  lastDecision: Decision | undefined;
  /** Whether every request goes to the store, because few tokens are left there. */
  exact = false;
  /** Oldest first, the order in which they are spent. All are of the store, or all of the fallback. */
  #leases: readonly Lease[] = [];
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
    let available = 0;
    for (const lease of this.#leases) available += tokensLeft(lease, now);
    return available;
  }

  /** The leases that have not expired and are not used up. */
  leases(now: number): Lease[] {
    return this.#leases.filter((lease) => tokensLeft(lease, now) > 0);
  }

  /** Adds a lease. Leases of the store and of the fallback are not mixed, since a refund has to know the origin of a token. */
  addLease(lease: Lease, now: number): void {
    this.#leases = [...this.leases(now).filter(({ degraded }) => degraded === lease.degraded), lease];
  }

  /** Spends `cost`, above 0 and at most `available`. Returns the newest lease that it took tokens from. */
  spend(cost: number, now: number): Lease {
    let missing = cost;
    let newest: Lease | undefined;
    for (const lease of this.#leases) {
      const spent = Math.min(tokensLeft(lease, now), missing);
      if (spent <= 0) continue;
      lease.tokens -= spent;
      missing -= spent;
      newest = lease;
    }
    return newest as Lease;
  }

  /** The decision about `cost` tokens that were spent, the last of them from this lease, with `left` still leased. */
  grant(cost: number, left: number, { stamp, degraded }: Lease): Decision {
    const last = this.lastDecision as Decision;
    const decision: Decision = {
      ...last,
      ...GRANTED,
      remaining: remainingWith(last, left),
      source: degraded ? 'fallback' : 'lease',
      degraded,
      granted: cost,
      stamp,
    };
    if (last.policies === undefined) return decision;
    const policies = last.policies.map((one) => ({ ...one, ...GRANTED, remaining: remainingWith(one, left) }));
    return { ...decision, policies };
  }
}

/** What is left for this process: in the store, and in its leases. */
function remainingWith({ remaining, limit }: Pick<Decision, 'limit' | 'remaining'>, leased: number): number {
  return Math.min(limit, Math.floor(remaining + leased));
}

function tokensLeft({ tokens, expiresAt }: Lease, now: number): number {
  return expiresAt > now ? tokens : 0;
}
