import { RecencyMap, type Clock, type Random } from '@macadam/core';
import {
  isPermitLimit,
  isReservable,
  type Limit,
  type PermitLimit,
  type ReservableLimit,
} from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import { allWatch, answerOf, blockedFor, letThrough, undecided, watches } from './combine.ts';
import { KeySlots } from './key-slots.ts';
import type { Ask, LimitTable, Promised, TableOptions, TakeMode } from './store.ts';

/** The keys of one limiter in memory: every answer is given at once. */
export class MemoryTable implements LimitTable {
  readonly synchronous = true;
  #limits: readonly Limit[];
  #first: Limit;
  #single: boolean;
  #slots: KeySlots;
  /** Until when a key is blocked. */
  readonly #blocked = new RecencyMap<string, number>();
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #random: Random;
  #permits: PermitLimit | undefined;

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

  take(key: string, cost: number, mode: TakeMode, watching = 0): Decision {
    const now = this.#clock.monotonic();
    if (this.#blocked.size > 0) {
      const until = this.#blocked.peek(key);
      if (until !== undefined && until > now) return this.#answer(blockedFor(this.#limits, until - now), 0, now);
    }
    if (mode === 'peek') return this.#peek(key, cost, now);
    const wanted = mode === 'upTo' ? Math.min(cost, this.#left(key, now, watching)) : cost;
    // Without anything left, what is asked for is the wait for one token.
    const asked = mode === 'upTo' && wanted === 0 ? Math.min(cost, 1) : wanted;
    const slot = this.#slots.claim(key, now);
    return this.#single && watching === 0 ? this.#takeOne(slot, asked, now) : this.#takeAll(slot, asked, now, watching);
  }

  takeTogether(asks: readonly Ask[]): Decision[] | undefined {
    if (!asks.every(({ table }) => table instanceof MemoryTable)) return undefined;
    const undo: (() => void)[] = [];
    const decisions = asks.map(({ table, key, cost, watching }) => {
      const memory = table as MemoryTable;
      undo.push(memory.#slots.memento(key, memory.#clock.monotonic()));
      return memory.take(key, cost, 'all', watching);
    });
    if (decisions.every(({ allowed }) => allowed)) return decisions;
    // Each is told as if it had only asked, after those before it.
    for (let i = asks.length - 1; i >= 0; i--) {
      (undo[i] as () => void)();
      const { table, key } = asks[i] as Ask;
      if ((decisions[i] as Decision).allowed) decisions[i] = (table as MemoryTable).take(key, 0, 'peek');
    }
    return decisions;
  }

  setLimits(limits: readonly Limit[]): void {
    this.#slots = this.#slots.under(limits, this.#clock.monotonic());
    this.#limits = limits;
    this.#first = limits[0] as Limit;
    this.#single = limits.length === 1;
    this.#permits = limits.find(isPermitLimit);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Promised {
    const now = this.#clock.monotonic();
    const slot = this.#slots.claim(key, now);
    let waitMs = Math.max(0, (this.#blocked.peek(key) ?? now) - now);
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
    for (let first = this.#blocked.oldest(); first !== undefined; first = this.#blocked.oldest()) {
      // The oldest goes when there are too many: it has been blocked the longest.
      if (first[1] > now && this.#blocked.size < this.#maxKeys) break;
      this.#blocked.deleteOldest();
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
    const decision = undecided(limit, 'memory', now);
    limit.look(state, base, now, cost, decision);
    if (!decision.allowed) return decision;
    if (this.#permits !== undefined) return this.#granted(slot, [decision], cost, now, 0);
    limit.commit(state, base, now, cost, 0);
    decision.granted = cost;
    return decision;
  }

  #takeAll(slot: number, cost: number, now: number, watching: number): Decision {
    const said = this.#limits.map((_, i) => this.#look(i, slot, now, cost));
    if (said.every(({ allowed }) => allowed)) return this.#granted(slot, said, cost, now, 0);
    const passes = said.every(({ allowed }, i) => allowed || watches(watching, i));
    // What is taken from no limit, no limit may count in what it says it has left.
    const states = said.map((one, i) =>
      one.allowed && !(passes && !watches(watching, i)) ? this.#look(i, slot, now, 0) : one,
    );
    return passes
      ? letThrough(this.#granted(slot, states, cost, now, watching), allWatch(watching, said.length) ? 0 : cost)
      : this.#answer(states, 0, now);
  }

  #look(i: number, slot: number, now: number, cost: number): LimitDecision {
    return (this.#limits[i] as Limit).look(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost);
  }

  /** Charges the limits that do not just watch. */
  #granted(slot: number, said: readonly LimitDecision[], cost: number, now: number, watching: number): Decision {
    const permitted = this.#permits !== undefined && !watches(watching, this.#limits.indexOf(this.#permits));
    const permit = permitted ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
    this.#limits.forEach((limit, i) => {
      if (watches(watching, i)) return;
      limit.commit(this.#slots.state(i, slot), this.#slots.base(i, slot), now, cost, permit);
    });
    const decision = this.#answer(said, cost, now);
    return permitted ? { ...decision, permit } : decision;
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

  /** The fewest tokens left under any limit that may deny. */
  #left(key: string, now: number, watching: number): number {
    const all = this.#peek(key, 0, now);
    const mayDeny = (all.policies ?? [all]).filter((_, i) => !watches(watching, i));
    return Math.min(...mayDeny.map(({ allowed, remaining }) => (allowed ? remaining : 0)));
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
