import { assertInteger, assertKnownOptions, assertObject, type Clock, type Random } from '@macadam/core';
import {
  isPermitLimit,
  isReservable,
  type Limit,
  type PermitLimit,
  type ReservableLimit,
} from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import { answerOf, blockedFor, decisionOf } from './combine.ts';
import { KeySlots } from './key-slots.ts';
import type { LimitTable, Promised, RateLimitStore, TableOptions, TakeMode } from './store.ts';

export interface MemoryStoreOptions {
  /** The most keys kept for each limiter that uses the store, at least 1. Default: 100 000. */
  maxKeys?: number;
  /** Default: the limiter's. */
  clock?: Clock;
  /** Names permits. Default: the limiter's. */
  random?: Random;
}

/** The keys of one limiter in memory: every answer is given at once. */
export class MemoryTable implements LimitTable {
  readonly synchronous = true;
  readonly #limits: readonly Limit[];
  readonly #first: Limit;
  readonly #single: boolean;
  readonly #slots: KeySlots;
  /** Until when a key is blocked. */
  readonly #blocked = new Map<string, number>();
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #permits: PermitLimit | undefined;

  constructor({ limits, clock, random }: TableOptions, maxKeys: number) {
    this.#limits = limits;
    this.#first = limits[0] as Limit;
    this.#single = limits.length === 1;
    this.#slots = new KeySlots(limits, maxKeys);
    this.#maxKeys = maxKeys;
    this.#clock = clock;
    this.#random = random;
    this.#permits = limits.find(isPermitLimit);
  }

  take(key: string, cost: number, mode: TakeMode): Decision {
    const now = this.#clock.monotonic();
    if (this.#blocked.size > 0) {
      const until = this.#blocked.get(key);
      if (until !== undefined && until > now) return this.#answer(blockedFor(this.#limits, until - now), 0, now);
    }
    if (mode === 'peek') return this.#peek(key, cost, now);
    const wanted = mode === 'upTo' ? Math.min(cost, this.#left(key, now)) : cost;
    // Without anything left, what is asked for is the wait for one token.
    const asked = mode === 'upTo' && wanted === 0 ? Math.min(cost, 1) : wanted;
    const slot = this.#slots.claim(key, now);
    return this.#single ? this.#takeOne(slot, asked, now) : this.#takeAll(slot, asked, now);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Promised {
    const now = this.#clock.monotonic();
    const slot = this.#slots.claim(key, now);
    let waitMs = Math.max(0, (this.#blocked.get(key) ?? now) - now);
    for (let i = 0; i < this.#limits.length; i++) {
      const limit = this.#limits[i] as ReservableLimit;
      waitMs = Math.max(waitMs, limit.waitMs(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost));
    }
    const granted = waitMs <= maxWaitMs;
    if (granted) this.#charge(slot, now, cost, undefined);
    const said = this.#limits.map((limit, i) => ({
      ...limit.look(this.#slots.state(i, slot), this.#slots.base(i, slot), now, 0),
      allowed: granted,
      retryAfterMs: granted ? 0 : waitMs,
    }));
    return { decision: this.#answer(said, granted ? cost : 0, now), waitMs, actAt: now + waitMs };
  }

  cancel(key: string, cost: number, actAt: number): void {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    if (slot < 0) return;
    this.#limits.forEach((limit, i) => {
      if (isReservable(limit)) limit.cancel(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost, actAt);
    });
  }

  charge(key: string, amount: number, stamp: number | undefined): void {
    const now = this.#clock.monotonic();
    // What is given back to a key that nothing is known about was forgotten with it.
    const slot = amount > 0 ? this.#slots.claim(key, now) : this.#slots.find(key, now);
    if (slot >= 0) this.#charge(slot, now, amount, stamp);
  }

  block(key: string, durationMs: number): void {
    const now = this.#clock.monotonic();
    this.#blocked.delete(key);
    for (const [old, until] of this.#blocked) {
      // The oldest goes when there are too many: it has been blocked the longest.
      if (until > now && this.#blocked.size < this.#maxKeys) break;
      this.#blocked.delete(old);
    }
    this.#blocked.set(key, now + durationMs);
  }

  reset(key: string): void {
    this.#blocked.delete(key);
    this.#slots.forget(key);
  }

  release(key: string, permit: number): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    if (slot < 0 || this.#permits === undefined) return false;
    const i = this.#limits.indexOf(this.#permits);
    return this.#permits.release(this.#slots.state(i, slot), this.#slots.base(i, slot), now, permit);
  }

  renew(key: string, permit: number): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    if (slot < 0 || this.#permits === undefined) return false;
    const i = this.#limits.indexOf(this.#permits);
    return this.#permits.renew(this.#slots.state(i, slot), this.#slots.base(i, slot), now, permit);
  }

  stats(): Readonly<Record<string, number>> {
    const { size, evictions, overflows } = this.#slots;
    return { keys: size, blockedKeys: this.#blocked.size, evictions, overflows };
  }

  #takeOne(slot: number, cost: number, now: number): Decision {
    const limit = this.#first;
    const state = this.#slots.state(0, slot);
    const base = this.#slots.base(0, slot);
    const said = limit.look(state, base, now, cost);
    if (!said.allowed) return decisionOf(limit, said, 'memory', 0, now);
    if (this.#permits !== undefined) return this.#withPermit(slot, [said], cost, now);
    limit.commit(state, base, now, cost, 0);
    return decisionOf(limit, said, 'memory', cost, now);
  }

  #takeAll(slot: number, cost: number, now: number): Decision {
    const slots = this.#slots;
    const said = this.#limits.map((limit, i) => limit.look(slots.state(i, slot), slots.base(i, slot), now, cost));
    if (said.every(({ allowed }) => allowed)) return this.#withPermit(slot, said, cost, now);
    // Nothing is taken from a limit that would have allowed it, so what it says must not count the cost either.
    const states = said.map((one, i) =>
      one.allowed ? (this.#limits[i] as Limit).look(slots.state(i, slot), slots.base(i, slot), now, 0) : one,
    );
    return this.#answer(states, 0, now);
  }

  #withPermit(slot: number, said: readonly LimitDecision[], cost: number, now: number): Decision {
    const permit = this.#permits === undefined ? 0 : Math.floor(this.#random() * 2 ** 48) + 1;
    this.#limits.forEach((limit, i) =>
      limit.commit(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost, permit),
    );
    const decision = this.#answer(said, cost, now);
    return permit === 0 ? decision : { ...decision, permit };
  }

  #peek(key: string, cost: number, now: number): Decision {
    const slot = this.#slots.find(key, now);
    const said = this.#limits.map((limit, i) =>
      slot < 0
        ? limit.look(new Array<number>(limit.width).fill(0), 0, now, cost)
        : limit.look(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost),
    );
    return this.#answer(said, 0, now);
  }

  /** The fewest tokens left under any limit. */
  #left(key: string, now: number): number {
    const { allowed, remaining, policies } = this.#peek(key, 0, now);
    if (!allowed) return 0;
    return policies === undefined ? remaining : Math.min(...policies.map((one) => one.remaining));
  }

  #charge(slot: number, now: number, amount: number, stamp: number | undefined): void {
    this.#limits.forEach((limit, i) =>
      limit.charge(this.#slots.state(i, slot), this.#slots.base(i, slot), now, amount, stamp),
    );
  }

  #answer(said: readonly LimitDecision[], granted: number, now: number): Decision {
    return answerOf(this.#limits, said, 'memory', granted, now);
  }
}

/**
 * Keeps limits in this process. Bounded, without a timer, and two numbers a key for a token bucket.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createRateLimiter, memoryStore, tokenBucket } from '@macadam/ratelimit';
 *
 * const logins = createRateLimiter({
 *   name: 'logins',
 *   limits: [tokenBucket({ limit: 5, periodMs: 60_000 })],
 *   store: memoryStore({ maxKeys: 1_000_000 }),
 * });
 * if (!logins.tryTake('ann').allowed) throw new Error('the first of five');
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): RateLimitStore {
  assertObject('memoryStore', options);
  assertKnownOptions('memoryStore', options, ['maxKeys', 'clock', 'random']);
  const { maxKeys = 100_000, clock, random } = options;
  assertInteger('memoryStore.maxKeys', maxKeys, { min: 1, max: 10_000_000 });
  return {
    kind: 'memory',
    open: (table) =>
      new MemoryTable({ ...table, clock: clock ?? table.clock, random: random ?? table.random }, maxKeys),
    describe: () => `memory, ${maxKeys} keys at most`,
    close: async () => {},
  };
}
