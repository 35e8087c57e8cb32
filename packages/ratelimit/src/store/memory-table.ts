import { RecencyMap, type Clock, type Random } from '@macadam/core';
import {
  isPermitLimit,
  isReservable,
  type Limit,
  type PermitLimit,
  type ReservableLimit,
  type StateNumbers,
} from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import {
  allOnlyWatch,
  combineDecisions,
  blockedDecisions,
  shadowedDecision,
  draftDecision,
  onlyWatches,
} from './combine-decisions.ts';
import { detachedCopy } from '../key.ts';
import { KeySlots } from './key-slots.ts';
import type { SlotStates } from './slot-states.ts';
import type { TakeRequest, LimitTable, StoreReservation, TableOptions, TakeMode } from './store.ts';

/** The keys of one limiter in memory: every answer is given at once. */
export class MemoryTable implements LimitTable {
  readonly synchronous = true;
  #limits: readonly Limit[];
  /** Of the first limit; most limiters have no other. */
  #first: SlotStates;
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
    this.#single = limits.length === 1;
    this.#slots = new KeySlots(limits, maxKeys);
    this.#first = this.#slots.states[0] as SlotStates;
    this.#maxKeys = maxKeys;
    this.#clock = clock;
    this.#random = random;
    this.#permits = limits.find(isPermitLimit);
  }

  take(key: string, cost: number, mode: TakeMode, watching = 0): Decision {
    const now = this.#clock.monotonic();
    if (this.#blocked.size > 0) {
      const until = this.#blocked.peek(key);
      if (until !== undefined && until > now) return this.#answer(blockedDecisions(this.#limits, until - now), 0, now);
    }
    if (mode === 'peek') return this.#peek(key, cost, now);
    const wanted = mode === 'upTo' ? Math.min(cost, this.#left(key, now, watching)) : cost;
    // Without anything left, what is asked for is the wait for one token.
    const asked = mode === 'upTo' && wanted === 0 ? Math.min(cost, 1) : wanted;
    const slot = this.#slots.claim(key, now);
    return this.#single && watching === 0 ? this.#takeOne(slot, asked, now) : this.#takeAll(slot, asked, now, watching);
  }

  takeTogether(asks: readonly TakeRequest[]): Decision[] | undefined {
    if (!asks.every(({ table }) => table instanceof MemoryTable)) return undefined;
    const undo: (() => void)[] = [];
    const decisions = asks.map(({ table, key, cost, watching }) => {
      const memory = table as MemoryTable;
      undo.push(memory.#slots.checkpoint(key, memory.#clock.monotonic()));
      return memory.take(key, cost, 'all', watching);
    });
    if (decisions.every(({ allowed }) => allowed)) return decisions;
    // Each is told as if it had only asked, after those before it.
    for (let i = asks.length - 1; i >= 0; i--) {
      (undo[i] as () => void)();
      const { table, key } = asks[i] as TakeRequest;
      if ((decisions[i] as Decision).allowed) decisions[i] = (table as MemoryTable).take(key, 0, 'peek');
    }
    return decisions;
  }

  setLimits(limits: readonly Limit[]): void {
    this.#slots = this.#slots.under(limits, this.#clock.monotonic());
    this.#limits = limits;
    this.#first = this.#slots.states[0] as SlotStates;
    this.#single = limits.length === 1;
    this.#permits = limits.find(isPermitLimit);
  }

  reserve(key: string, cost: number, maxWaitMs: number): StoreReservation {
    const now = this.#clock.monotonic();
    const slot = this.#slots.claim(key, now);
    let waitMs = Math.max(0, (this.#blocked.peek(key) ?? now) - now);
    for (const states of this.#slots.states) {
      const limit = states.limit as ReservableLimit;
      waitMs = Math.max(waitMs, limit.waitMs(states.state(slot), states.base(slot), now, cost));
    }
    const granted = waitMs <= maxWaitMs;
    if (granted) this.#charge(slot, now, cost, undefined);
    const said = this.#slots.states.map((states) => ({
      ...states.look(slot, now, 0),
      allowed: granted,
      retryAfterMs: granted ? 0 : waitMs,
    }));
    return { decision: this.#answer(said, granted ? cost : 0, now), waitMs, actAt: now + waitMs };
  }

  cancel(key: string, cost: number, actAt: number): void {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    if (slot < 0) return;
    for (const states of this.#slots.states) {
      if (!isReservable(states.limit)) continue;
      states.limit.cancel(states.state(slot), states.base(slot), now, cost, actAt);
      states.keep(slot);
    }
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
    this.#blocked.set(detachedCopy(key), now + durationMs);
  }

  reset(key: string): void {
    this.#blocked.delete(key);
    this.#slots.forget(key);
  }

  release(key: string, permit: number): boolean {
    return this.#ofPermit(key, (limit, state, now) => limit.release(state, 0, now, permit));
  }

  renew(key: string, permit: number): boolean {
    return this.#ofPermit(key, (limit, state, now) => limit.renew(state, 0, now, permit));
  }

  stats(): Readonly<Record<string, number>> {
    const { size, evictions, overflows } = this.#slots;
    return { keys: size, blockedKeys: this.#blocked.size, evictions, overflows };
  }

  #takeOne(slot: number, cost: number, now: number): Decision {
    const states = this.#first;
    const decision = draftDecision(states.limit, 'memory', now);
    states.look(slot, now, cost, decision);
    if (!decision.allowed) return decision;
    if (this.#permits !== undefined) return this.#granted(slot, [decision], cost, now, 0);
    states.commit(slot, now, cost, 0);
    decision.granted = cost;
    return decision;
  }

  #takeAll(slot: number, cost: number, now: number, watching: number): Decision {
    const said = this.#slots.states.map((states) => states.look(slot, now, cost));
    if (said.every(({ allowed }) => allowed)) return this.#granted(slot, said, cost, now, 0);
    const passes = said.every(({ allowed }, i) => allowed || onlyWatches(watching, i));
    // What is taken from no limit, no limit may count in what it says it has left.
    const states = said.map((one, i) =>
      one.allowed && !(passes && !onlyWatches(watching, i))
        ? (this.#slots.states[i] as SlotStates).look(slot, now, 0)
        : one,
    );
    return passes
      ? shadowedDecision(
          this.#granted(slot, states, cost, now, watching),
          allOnlyWatch(watching, said.length) ? 0 : cost,
        )
      : this.#answer(states, 0, now, watching);
  }

  #ofPermit(key: string, change: (limit: PermitLimit, state: StateNumbers, now: number) => boolean): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    const states = this.#slots.states.find(({ limit }) => limit === this.#permits);
    if (slot < 0 || states === undefined) return false;
    const changed = change(states.limit as PermitLimit, states.state(slot), now);
    states.keep(slot);
    return changed;
  }

  /** Charges the limits that do not just watch. */
  #granted(slot: number, said: readonly LimitDecision[], cost: number, now: number, watching: number): Decision {
    const permitted = this.#permits !== undefined && !onlyWatches(watching, this.#limits.indexOf(this.#permits));
    const permit = permitted ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
    this.#slots.states.forEach((states, i) => {
      if (!onlyWatches(watching, i)) states.commit(slot, now, cost, permit);
    });
    const decision = this.#answer(said, cost, now);
    return permitted ? { ...decision, permit } : decision;
  }

  #peek(key: string, cost: number, now: number): Decision {
    const slot = this.#slots.find(key, now);
    const said = this.#slots.states.map((states) =>
      slot < 0
        ? states.limit.look(new Array<number>(states.limit.width).fill(0), 0, now, cost)
        : states.look(slot, now, cost),
    );
    return this.#answer(said, 0, now);
  }

  /** The fewest tokens left under any limit that may deny. */
  #left(key: string, now: number, watching: number): number {
    const all = this.#peek(key, 0, now);
    const mayDeny = (all.policies ?? [all]).filter((_, i) => !onlyWatches(watching, i));
    return Math.min(...mayDeny.map(({ allowed, remaining }) => (allowed ? remaining : 0)));
  }

  #charge(slot: number, now: number, amount: number, stamp: number | undefined): void {
    for (const states of this.#slots.states) states.charge(slot, now, amount, stamp);
  }

  #answer(said: readonly LimitDecision[], granted: number, now: number, watching = 0): Decision {
    return combineDecisions(this.#limits, said, 'memory', granted, now, watching);
  }
}
