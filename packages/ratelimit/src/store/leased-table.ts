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
 */
import type { Clock } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { Awaitable, LimitTable, Promised, TakeMode } from './store.ts';

export interface LeaseOptions {
  /** How long tokens may be held, in milliseconds, 10 to 60 000. Default: 100. */
  ttlMs?: number;
  /** The share of a key's capacity that all processes together may hold, above 0, at most 0.5. Default: 0.05. */
  maxShare?: number;
}

/** Tokens that were paid for. */
interface Loan {
  tokens: number;
  expiresAt: number;
}

/** What is known of one key. */
interface Borrower {
  /** The older one is spent first. */
  first: Loan;
  second: Loan;
  /** The request for a loan that is under way. */
  asking: Promise<void> | undefined;
  /** What was asked for since `countedSince`, and in the time of a loan before. */
  counted: number;
  countedSince: number;
  demand: number;
  /** The store's last answer. */
  last: Decision | undefined;
  /** Little is left: every request asks the store. */
  exact: boolean;
}

/** More keys than this are not lent to; the one that came first is forgotten. */
const MOST_BORROWERS = 10_000;
/** A key is lent to again when so much of its capacity is there. */
const PLENTY = 0.25;
const NOTHING: Readonly<Loan> = { tokens: 0, expiresAt: -Infinity };

export class LeasedTable implements LimitTable {
  readonly synchronous = false;
  readonly #store: LimitTable;
  readonly #limit: Limit;
  readonly #ttlMs: number;
  readonly #instances: number;
  /** The most that this process may hold of a key. */
  readonly #most: number;
  readonly #clock: Clock;
  readonly #borrowers = new Map<string, Borrower>();
  #spent = 0;
  #borrowed = 0;

  constructor(store: LimitTable, limit: Limit, lease: Required<LeaseOptions>, instances: number, clock: Clock) {
    this.#store = store;
    this.#limit = limit;
    this.#ttlMs = lease.ttlMs;
    this.#instances = instances;
    this.#most = Math.floor((lease.maxShare * limit.capacity) / instances);
    this.#clock = clock;
  }

  take(key: string, cost: number, mode: TakeMode): Awaitable<Decision> {
    if (mode !== 'all' || this.#most < 2) return this.#store.take(key, cost, mode);
    const now = this.#clock.monotonic();
    const borrower = this.#borrowerOf(key, now);
    this.#count(borrower, cost, now);
    return this.#spend(key, borrower, cost, now) ?? this.#ask(key, borrower, cost);
  }

  takeNow(key: string, cost: number): Decision | undefined {
    const borrower = this.#borrowers.get(key);
    if (borrower === undefined) return undefined;
    const now = this.#clock.monotonic();
    this.#count(borrower, cost, now);
    return this.#spend(key, borrower, cost, now);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Awaitable<Promised> {
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
    const held = [...this.#borrowers].map(([key, borrower]) => [key, heldBy(borrower, now)] as const);
    this.#borrowers.clear();
    const back = held
      .filter(([, tokens]) => tokens > 0)
      .map(async ([key, tokens]) => await this.#store.charge(key, -tokens, undefined));
    await Promise.allSettled(back);
  }

  /** Spends from what is held, if that is enough, and asks for more before it is used up. */
  #spend(key: string, borrower: Borrower, cost: number, now: number): Decision | undefined {
    const held = heldBy(borrower, now);
    if (held < cost) return undefined;
    if (borrower.first.expiresAt <= now || borrower.first.tokens === 0) borrower.first = { ...NOTHING };
    const fromFirst = Math.min(borrower.first.tokens, cost);
    borrower.first.tokens -= fromFirst;
    borrower.second.tokens -= cost - fromFirst;
    this.#spent += cost;
    const size = this.#sizeOf(borrower);
    if (borrower.asking === undefined && size >= 2 && held - cost < size / 4) {
      // Whoever comes when nothing is left asks again: an error is theirs to hear.
      this.#borrow(key, borrower, size - (held - cost)).catch(() => {});
    }
    const last = borrower.last as Decision;
    const remaining = Math.min(last.limit, Math.floor(last.remaining + held - cost));
    return { ...last, source: last.degraded ? 'fallback' : 'lease', remaining, granted: cost };
  }

  async #ask(key: string, borrower: Borrower, cost: number): Promise<Decision> {
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
  #borrow(key: string, borrower: Borrower, wanted: number): Promise<void> {
    const askedAt = this.#clock.monotonic();
    const asked = Math.max(1, Math.min(Math.ceil(wanted), this.#limit.capacity));
    const asking = Promise.resolve(this.#store.take(key, asked, 'upTo')).then((decision) => {
      this.#learn(borrower, decision, decision.granted === asked);
      if (decision.granted === 0) return;
      this.#borrowed += decision.granted;
      const now = this.#clock.monotonic();
      borrower.first = borrower.first.expiresAt > now && borrower.first.tokens > 0 ? borrower.first : borrower.second;
      borrower.second = { tokens: decision.granted, expiresAt: askedAt + this.#ttlMs };
    });
    const settled = (): void => void (borrower.asking = undefined);
    borrower.asking = asking;
    asking.then(settled, settled);
    return asking;
  }

  #learn(borrower: Borrower, decision: Decision, enough: boolean): void {
    borrower.last = decision;
    if (!enough) borrower.exact = true;
    else if (decision.remaining > this.#limit.capacity * PLENTY) borrower.exact = false;
  }

  #sizeOf({ demand, counted, last, exact }: Borrower): number {
    if (exact || last === undefined) return 0;
    const size = Math.min(this.#most, Math.ceil(Math.max(demand, counted)));
    // When all processes could not have as much, nobody should.
    return last.remaining >= this.#instances * size ? size : Math.floor(last.remaining / (2 * this.#instances));
  }

  #count(borrower: Borrower, cost: number, now: number): void {
    const elapsedMs = now - borrower.countedSince;
    if (elapsedMs >= this.#ttlMs) {
      borrower.demand = (borrower.counted * this.#ttlMs) / elapsedMs;
      borrower.counted = 0;
      borrower.countedSince = now;
    }
    borrower.counted += cost;
  }

  #borrowerOf(key: string, now: number): Borrower {
    let borrower = this.#borrowers.get(key);
    if (borrower !== undefined) return borrower;
    if (this.#borrowers.size >= MOST_BORROWERS) {
      for (const oldest of this.#borrowers.keys()) {
        this.#borrowers.delete(oldest);
        break;
      }
    }
    borrower = {
      first: { ...NOTHING },
      second: { ...NOTHING },
      asking: undefined,
      counted: 0,
      countedSince: now,
      demand: 0,
      last: undefined,
      exact: false,
    };
    this.#borrowers.set(key, borrower);
    return borrower;
  }
}

function heldBy({ first, second }: Borrower, now: number): number {
  return (first.expiresAt > now ? first.tokens : 0) + (second.expiresAt > now ? second.tokens : 0);
}
