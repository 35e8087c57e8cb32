/**
 * Borrows tokens ahead of their use, so that most decisions need no round trip.
 *
 * Tokens are debited in the store before they are lent, and a loan is spent within `ttlMs` of the moment the request for it
 * was sent, by this process' own clock, or is lost. So nothing is ever spent that was not paid for, no difference between clocks
 * prolongs a loan, and a process that crashes takes at most its loan with it. With N processes that hold up to C tokens each, any
 * stretch of T milliseconds sees at most `burst + rate * T + N * C`, and at most `burst + rate * (T + ttlMs)`.
 *
 * A loan is as large as what the key is asked for in `ttlMs`, and at most `maxShare` of the capacity among all processes. When
 * little is left in the store, or after a denial, every request asks the store again: a limit is exact where it matters.
 *
 * Of several limits the tokens are borrowed in one step from all of them, as many as each can give, so that one that is nearly
 * used up makes the loan small. What was borrowed from a fixed window ends with the window. Permits are never lent.
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

/** More keys than this are not lent to; the one asked for the longest ago is forgotten. */
const MAX_LEASED_KEYS = 10_000;
/** A key is lent to again when so much of its capacity is there. */
const PLENTY = 0.25;

export class LeasedTable implements LimitTable {
  readonly synchronous = false;
  readonly exact: LimitTable;
  readonly #store: LimitTable;
  readonly #lease: Required<LeaseOptions>;
  readonly #ttlMs: number;
  readonly #instances: number;
  #limits: readonly Limit[];
  /** Of the smallest limit. */
  #capacity!: number;
  /** The most that this process may hold of a key. */
  #most!: number;
  readonly #clock: Clock;
  readonly #borrowers = new RecencyMap<string, LeasedKey>();
  #spent = 0;
  #borrowed = 0;

  constructor(
    store: LimitTable,
    limits: readonly Limit[],
    lease: Required<LeaseOptions>,
    instances: number,
    clock: Clock,
  ) {
    this.exact = this.#store = store;
    this.#lease = lease;
    this.#ttlMs = lease.ttlMs;
    this.#instances = instances;
    this.#clock = clock;
    this.#limits = limits;
    this.#measure();
  }

  take(key: string, cost: number, mode: TakeMode, watching = 0): Awaitable<Decision> {
    if (mode !== 'all' || this.#most < 2 || cost > this.#most || watching !== 0)
      return this.#store.take(key, cost, mode, watching);
    const now = this.#clock.monotonic();
    const borrower = this.#borrowerOf(key, now);
    borrower.count(cost, now, this.#ttlMs);
    return this.#spend(key, borrower, cost, now) ?? this.#ask(key, borrower, cost);
  }

  takeNow(key: string, cost: number): Decision | undefined {
    const borrower = this.#borrowers.get(key);
    if (borrower === undefined) return undefined;
    const now = this.#clock.monotonic();
    borrower.count(cost, now, this.#ttlMs);
    return this.#spend(key, borrower, cost, now);
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
    this.#borrowers.delete(key);
    return this.#store.block(key, durationMs);
  }

  reset(key: string): Awaitable<void> {
    this.#borrowers.delete(key);
    return this.#store.reset(key);
  }

  /** What is held was paid for: it can be spent on, or runs out. */
  setLimits(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#measure();
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
      leasedKeys: this.#borrowers.size,
      tokensBorrowed: this.#borrowed,
      tokensSpent: this.#spent,
      ...this.#store.stats(),
    };
  }

  /** Gives back what is held. */
  async close(): Promise<void> {
    // What is under way arrives as paid for, too.
    await Promise.allSettled([...this.#borrowers.values()].map(async ({ asking }) => await asking));
    const now = this.#clock.monotonic();
    const held = [...this.#borrowers].flatMap(([key, borrower]) => borrower.loans(now).map((loan) => ({ key, loan })));
    this.#borrowers.clear();
    const back = held.map(async ({ key, loan }) => await this.#store.charge(key, -loan.tokens, loan.stamp));
    await Promise.allSettled(back);
  }

  #measure(): void {
    this.#capacity = Math.min(...this.#limits.map(({ capacity }) => capacity));
    const lends = !this.#limits.some(isPermitLimit);
    this.#most = lends ? Math.floor((this.#lease.maxShare * this.#capacity) / this.#instances) : 0;
  }

  /** Spends from what is held, if that is enough, and asks for more before it is used up. */
  #spend(key: string, borrower: LeasedKey, cost: number, now: number): Decision | undefined {
    const held = borrower.held(now);
    if (held < cost) return undefined;
    borrower.spend(cost, now);
    this.#spent += cost;
    const size = this.#sizeOf(borrower);
    if (borrower.asking === undefined && size >= 2 && held - cost < size / 4) {
      // Whoever comes when nothing is left asks again: an error is theirs to hear.
      this.#borrow(key, borrower, size - (held - cost)).catch(() => {});
    }
    const last = borrower.last as Decision;
    const source = last.degraded ? 'fallback' : 'lease';
    const decision = { ...last, source, remaining: withHeld(last, held - cost), granted: cost } as const;
    if (last.policies === undefined) return decision;
    const policies = last.policies.map((one) => ({ ...one, remaining: withHeld(one, held - cost) }));
    return { ...decision, policies };
  }

  async #ask(key: string, borrower: LeasedKey, cost: number): Promise<Decision> {
    const size = this.#sizeOf(borrower);
    if (borrower.asking !== undefined || size >= 2) {
      await (borrower.asking ?? this.#borrow(key, borrower, cost + size));
      const decision = this.#spend(key, borrower, cost, this.#clock.monotonic());
      if (decision !== undefined) return decision;
    }
    const decision = await this.#store.take(key, cost, 'all');
    this.#learn(borrower, decision, decision.allowed);
    return decision;
  }

  /** One request a key is under way at most: what is held and what is asked for stay within the bound. */
  #borrow(key: string, borrower: LeasedKey, wanted: number): Promise<void> {
    const askedAt = this.#clock.monotonic();
    const limits = this.#limits;
    const asked = Math.max(1, Math.min(Math.ceil(wanted), this.#capacity));
    const asking = Promise.resolve(this.#store.take(key, asked, 'upTo')).then((decision) => {
      this.#learn(borrower, decision, decision.granted === asked);
      if (decision.granted === 0) return;
      this.#borrowed += decision.granted;
      const { granted: tokens, stamp } = decision;
      borrower.lend({ tokens, expiresAt: askedAt + this.#lastsMs(decision, limits), stamp }, this.#clock.monotonic());
    });
    const settled = (): void => void (borrower.asking = undefined);
    borrower.asking = asking;
    asking.then(settled, settled);
    return asking;
  }

  #learn(borrower: LeasedKey, decision: Decision, enough: boolean): void {
    borrower.last = decision;
    if (!enough) borrower.exact = true;
    else if (decision.remaining > this.#capacity * PLENTY) borrower.exact = false;
  }

  /** How long a loan lasts: no longer than the fixed windows that it came from. */
  #lastsMs(decision: Decision, limits: readonly Limit[]): number {
    let lastsMs = this.#ttlMs;
    limits.forEach(({ kind }, i) => {
      if (kind === 'fixedWindow') lastsMs = Math.min(lastsMs, (decision.policies?.[i] ?? decision).resetAfterMs);
    });
    return lastsMs;
  }

  #sizeOf({ demand, last, exact }: LeasedKey): number {
    if (exact || last === undefined) return 0;
    const size = Math.min(this.#most, Math.ceil(demand));
    // When all processes could not have as much, nobody should.
    return last.remaining >= this.#instances * size ? size : Math.floor(last.remaining / (2 * this.#instances));
  }

  #borrowerOf(key: string, now: number): LeasedKey {
    let borrower = this.#borrowers.get(key);
    if (borrower !== undefined) return borrower;
    if (this.#borrowers.size >= MAX_LEASED_KEYS) this.#borrowers.deleteOldest();
    borrower = new LeasedKey(now);
    this.#borrowers.set(detachedCopy(key), borrower);
    return borrower;
  }
}

/** What the store has left, and what this process holds of it. */
function withHeld({ remaining, limit }: Pick<Decision, 'limit' | 'remaining'>, held: number): number {
  return Math.min(limit, Math.floor(remaining + held));
}
