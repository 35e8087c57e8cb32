/**
 * Leases tokens ahead of their use, so that most decisions need no round trip.
 *
 * The store debits tokens when it grants the lease. A lease must be spent within `ttlMs` of sending the request for it, on
 * the clock of this process; the rest is lost. So tokens that were not debited are never spent, clock differences never
 * prolong a lease, and a crash loses at most the leases of the process. With N processes that hold up to C tokens each,
 * any T milliseconds see at most `burst + rate * T + N * C`, and at most `burst + rate * (T + ttlMs)`.
 *
 * A lease covers the demand for the key in `ttlMs`, and at most `maxShare` of the capacity for all processes together.
 * While few tokens are left in the store, or after a denial, every request goes to the store, so that the limit is exact.
 *
 * With several limits a lease takes from all of them in one step, as much as all can grant, so that a limit that is nearly
 * used up keeps leases small. A lease from a fixed window ends with the window. Permits are never leased.
 */
import { RecencyMap, type Clock } from '@macadam/core';
import { isPermitLimit, type Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { detachedCopy } from '../key.ts';
import { LeasedKey } from './leased-key.ts';
import type { Awaitable, LimitTable, StoreReservation, TakeMode } from './store.ts';

/**
 * How tokens are leased ahead. Every span of T milliseconds sees at most `burst + rate * (T + ttlMs)` tokens, and at
 * most `maxShare` of the capacity is leased by all processes together.
 */
export interface LeaseOptions {
  /** How long tokens may be held, in milliseconds, 10 to 60 000. Default: 100. */
  ttlMs?: number;
  /** Ratio of a key's capacity that all processes together may hold, above 0, at most 0.5. Default: 0.05. */
  maxShare?: number;
}

/** The least recently used key is evicted beyond this number, and its leases are lost. */
const MAX_LEASED_KEYS = 10_000;
/** A key is leased again when more than this ratio of its capacity is left in the store. */
const LEASE_AGAIN_ABOVE = 0.25;

export class LeasedTable implements LimitTable {
  readonly synchronous = false;
  readonly exact: LimitTable;
  readonly fallback: LimitTable | undefined;
  readonly #store: LimitTable;
  readonly #lease: Required<LeaseOptions>;
  readonly #ttlMs: number;
  readonly #instances: number;
  #limits: readonly Limit[];
  /** The smallest capacity of all limits. */
  #capacity!: number;
  /** Tokens of one key that this process may hold. */
  #maxLease!: number;
  readonly #clock: Clock;
  readonly #keys = new RecencyMap<string, LeasedKey>();
  #closed = false;
  #spent = 0;
  #leased = 0;

  constructor(
    store: LimitTable,
    limits: readonly Limit[],
    lease: Required<LeaseOptions>,
    instances: number,
    clock: Clock,
  ) {
    this.exact = this.#store = store;
    this.fallback = store.fallback;
    this.#lease = lease;
    this.#ttlMs = lease.ttlMs;
    this.#instances = instances;
    this.#clock = clock;
    this.#limits = limits;
    this.#computeSizes();
  }

  take(key: string, cost: number, mode: TakeMode, watching = 0): Awaitable<Decision> {
    if (mode !== 'all' || this.#maxLease < 2 || cost > this.#maxLease || watching !== 0)
      return this.#store.take(key, cost, mode, watching);
    const now = this.#clock.monotonic();
    const leased = this.#leasedKey(key, now);
    leased.recordDemand(cost, now, this.#ttlMs);
    return this.#spend(key, leased, cost, now) ?? this.#leaseOrTake(key, leased, cost);
  }

  takeNow(key: string, cost: number): Decision | undefined {
    const leased = this.#keys.get(key);
    if (leased === undefined) return undefined;
    const now = this.#clock.monotonic();
    leased.recordDemand(cost, now, this.#ttlMs);
    return this.#spend(key, leased, cost, now);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Awaitable<StoreReservation> {
    return this.#store.reserve(key, cost, maxWaitMs);
  }

  cancel(key: string, cost: number, actAt: number): Awaitable<void> {
    return this.#store.cancel(key, cost, actAt);
  }

  charge(key: string, amount: number, stamp: number | undefined): Awaitable<void> {
    return this.#store.charge(key, amount, stamp);
  }

  block(key: string, durationMs: number): Awaitable<void> {
    this.#keys.delete(key);
    return this.#store.block(key, durationMs);
  }

  reset(key: string): Awaitable<void> {
    this.#keys.delete(key);
    return this.#store.reset(key);
  }

  /** Leases that are held stay valid: the store has debited their tokens. */
  setLimits(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#computeSizes();
    this.#store.setLimits(limits);
  }

  release(key: string, permit: number): Awaitable<boolean> {
    return this.#store.release(key, permit);
  }

  renew(key: string, permit: number): Awaitable<boolean> {
    return this.#store.renew(key, permit);
  }

  stats(): Readonly<Record<string, number>> {
    return {
      leasedKeys: this.#keys.size,
      tokensBorrowed: this.#leased,
      tokensSpent: this.#spent,
      ...this.#store.stats(),
    };
  }

  /** Gives back the tokens of all leases. Later requests go to the store. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#computeSizes();
    // Leases in flight are debited in the store as well, so they have to be given back too.
    await Promise.allSettled([...this.#keys.values()].map(async ({ pending }) => await pending));
    const now = this.#clock.monotonic();
    const held = [...this.#keys].flatMap(([key, leased]) => leased.leases(now).map((lease) => ({ key, lease })));
    this.#keys.clear();
    const refunds = held.map(async ({ key, lease: { tokens, stamp, degraded } }) => {
      await (degraded ? this.fallback : this.#store)?.charge(key, -tokens, stamp);
    });
    await Promise.allSettled(refunds);
  }

  #computeSizes(): void {
    this.#capacity = Math.min(...this.#limits.map(({ capacity }) => capacity));
    const canLease = !this.#closed && !this.#limits.some(isPermitLimit);
    this.#maxLease = canLease ? Math.floor((this.#lease.maxShare * this.#capacity) / this.#instances) : 0;
  }

  /** Decides from the leases if they have enough tokens, and requests the next lease before they are used up. */
  #spend(key: string, leased: LeasedKey, cost: number, now: number): Decision | undefined {
    const available = leased.available(now);
    if (available < cost) return undefined;
    const lease = leased.spend(cost, now);
    this.#spent += cost;
    const left = available - cost;
    const size = this.#nextLeaseSize(leased);
    if (leased.pending === undefined && size >= 2 && left < size / 4) {
      // Nobody waits for this lease. If it fails, the request that finds no tokens asks again and gets the error.
      this.#requestLease(key, leased, size - left).catch(() => {});
    }
    return leased.grant(cost, left, lease);
  }

  async #leaseOrTake(key: string, leased: LeasedKey, cost: number): Promise<Decision> {
    const size = this.#nextLeaseSize(leased);
    if (leased.pending !== undefined || size >= 2) {
      const missing = cost - leased.available(this.#clock.monotonic());
      await (leased.pending ?? this.#requestLease(key, leased, missing + size));
      const decision = this.#spend(key, leased, cost, this.#clock.monotonic());
      if (decision !== undefined) return decision;
    }
    const decision = await this.#store.take(key, cost, 'all');
    this.#recordDecision(leased, decision, decision.allowed);
    return decision;
  }

  /** At most one request per key is in flight, so that what is held and what is requested stay within the bound. */
  #requestLease(key: string, leased: LeasedKey, wanted: number): Promise<void> {
    const requestedAt = this.#clock.monotonic();
    const limits = this.#limits;
    const cost = Math.max(1, Math.min(Math.ceil(wanted), this.#capacity));
    const pending = Promise.resolve(this.#store.take(key, cost, 'upTo')).then((decision) => {
      this.#recordDecision(leased, decision, decision.granted === cost);
      if (decision.granted === 0) return;
      this.#leased += decision.granted;
      const { granted: tokens, stamp, degraded } = decision;
      const expiresAt = requestedAt + this.#leaseMs(decision, limits);
      leased.addLease({ tokens, expiresAt, stamp, degraded }, this.#clock.monotonic());
    });
    const settled = (): void => void (leased.pending = undefined);
    leased.pending = pending;
    pending.then(settled, settled);
    return pending;
  }

  #recordDecision(leased: LeasedKey, decision: Decision, gotAll: boolean): void {
    leased.lastDecision = decision;
    if (!gotAll) leased.exact = true;
    else if (decision.remaining > this.#capacity * LEASE_AGAIN_ABOVE) leased.exact = false;
  }

  /** How long a lease lasts: at most until the end of the fixed windows that it was taken from. */
  #leaseMs(decision: Decision, limits: readonly Limit[]): number {
    let leaseMs = this.#ttlMs;
    limits.forEach(({ kind }, i) => {
      if (kind === 'fixedWindow') leaseMs = Math.min(leaseMs, (decision.policies?.[i] ?? decision).resetAfterMs);
    });
    return leaseMs;
  }

  /** Tokens that the next lease asks for; 0 when the key is not leased now. */
  #nextLeaseSize({ demand, lastDecision, exact }: LeasedKey): number {
    if (exact || lastDecision === undefined) return 0;
    const size = Math.min(this.#maxLease, Math.ceil(demand));
    // If not all processes could get as much, each takes at most half of its part of what is left.
    const { remaining } = lastDecision;
    return remaining >= this.#instances * size ? size : Math.floor(remaining / (2 * this.#instances));
  }

  #leasedKey(key: string, now: number): LeasedKey {
    let leased = this.#keys.get(key);
    if (leased !== undefined) return leased;
    if (this.#keys.size >= MAX_LEASED_KEYS) this.#keys.deleteOldest();
    leased = new LeasedKey(now);
    this.#keys.set(detachedCopy(key), leased);
    return leased;
  }
}
