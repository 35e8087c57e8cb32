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
  blockedMs,
  shadowedDecision,
  draftDecision,
  onlyWatches,
} from './combine-decisions.ts';
import { detachedCopy } from '../key.ts';
import { KeySlots } from './key-slots.ts';
import type { SlotStates } from './slot-states.ts';
import type { TakeRequest, LimitTable, StoreReservation, TableOptions, TakeMode } from './store.ts';

/** The keys of one limiter in memory. Every operation is synchronous. */
export class MemoryTable implements LimitTable {
  readonly synchronous = true;
  #limits: readonly Limit[];
  /** The states of the first limit, for the hot path: most limiters have no other. */
  #first: SlotStates;
  #single: boolean;
  #slots: KeySlots;
  /** For each blocked key, until when. */
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
      const waitMs = blockedMs(this.#blocked.peek(key) ?? 0, now);
      if (waitMs > 0) return this.#denyBlocked(key, mode === 'upTo' ? Math.min(cost, 1) : cost, now, waitMs, watching);
    }
    if (mode === 'peek') return this.#peek(key, cost, now);
    const available = mode === 'upTo' ? Math.min(cost, this.#tokensLeft(key, now, watching)) : cost;
    // With nothing left, the decision is the denial of one token, which has the wait for it.
    const wanted = mode === 'upTo' && available === 0 ? Math.min(cost, 1) : available;
    const slot = this.#slots.claim(key, now);
    if (this.#single && watching === 0) return this.#takeFromOne(slot, wanted, now);
    return this.#takeFromAll(slot, wanted, now, watching);
  }

  takeTogether(requests: readonly TakeRequest[]): Decision[] | undefined {
    if (!requests.every(({ table }) => table instanceof MemoryTable)) return undefined;
    const rollbacks: (() => void)[] = [];
    const decisions = requests.map(({ table, key, cost, watching }) => {
      const memory = table as MemoryTable;
      rollbacks.push(memory.#slots.checkpoint(key, memory.#clock.monotonic()));
      return memory.take(key, cost, 'all', watching);
    });
    if (decisions.every(({ allowed }) => allowed)) return decisions;
    // Each grant becomes a peek, with the requests before it still in effect.
    for (let i = requests.length - 1; i >= 0; i--) {
      (rollbacks[i] as () => void)();
      const { table, key, watching } = requests[i] as TakeRequest;
      if ((decisions[i] as Decision).allowed) decisions[i] = (table as MemoryTable).take(key, 0, 'peek', watching);
    }
    return decisions;
  }

  setLimits(limits: readonly Limit[]): void {
    this.#slots = this.#slots.withLimits(limits, this.#clock.monotonic());
    this.#limits = limits;
    this.#first = this.#slots.states[0] as SlotStates;
    this.#single = limits.length === 1;
    this.#permits = limits.find(isPermitLimit);
  }

  reserve(key: string, cost: number, maxWaitMs: number): StoreReservation {
    const now = this.#clock.monotonic();
    const slot = this.#slots.claim(key, now);
    // The tokens are taken when the block ends, so that they do not flow back before they may be used.
    const blocked = blockedMs(this.#blocked.peek(key) ?? 0, now);
    let waitMs = 0;
    for (const states of this.#slots.states) {
      const limit = states.limit as ReservableLimit;
      waitMs = Math.max(waitMs, limit.waitMs(states.state(slot), states.base(slot), now + blocked, cost));
    }
    waitMs += blocked;
    const granted = waitMs <= maxWaitMs;
    if (granted) this.#charge(slot, now + blocked, cost, undefined);
    const decisions = this.#slots.states.map((states) => ({
      ...states.look(slot, now, 0),
      allowed: granted,
      retryAfterMs: granted ? 0 : waitMs,
    }));
    const actAt = now + waitMs;
    const decision = granted ? this.#combine(decisions, cost, actAt) : this.#combine(decisions, 0, now);
    return { decision, waitMs, actAt };
  }

  cancel(key: string, cost: number, actAt: number): void {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    if (slot < 0) return;
    for (const states of this.#slots.states) {
      if (!isReservable(states.limit)) continue;
      states.limit.cancel(states.state(slot), states.base(slot), now, cost, actAt);
      states.writeBack(slot);
    }
  }

  charge(key: string, amount: number, stamp: number | undefined): void {
    const now = this.#clock.monotonic();
    // A refund to a key without a slot has no effect: what it took has expired or was evicted.
    const slot = amount > 0 ? this.#slots.claim(key, now) : this.#slots.find(key, now);
    if (slot >= 0) this.#charge(slot, now, amount, stamp);
  }

  block(key: string, durationMs: number): void {
    const now = this.#clock.monotonic();
    this.#blocked.delete(key);
    // Makes room: removes blocks that are over, and the oldest block if there are too many.
    for (let oldest = this.#blocked.oldest(); oldest !== undefined; oldest = this.#blocked.oldest()) {
      if (oldest[1] > now && this.#blocked.size < this.#maxKeys) break;
      this.#blocked.deleteOldest();
    }
    this.#blocked.set(detachedCopy(key), now + durationMs);
  }

  reset(key: string): void {
    this.#blocked.delete(key);
    this.#slots.delete(key);
  }

  release(key: string, permit: number): boolean {
    return this.#updatePermits(key, (limit, state, now) => limit.release(state, 0, now, permit));
  }

  renew(key: string, permit: number): boolean {
    return this.#updatePermits(key, (limit, state, now) => limit.renew(state, 0, now, permit));
  }

  stats(): Readonly<Record<string, number>> {
    const { size, evictions, overflows } = this.#slots;
    return { keys: size, blockedKeys: this.#blocked.size, evictions, overflows };
  }

  /** The hot path: there is a single limit, and its denials count for this key. */
  #takeFromOne(slot: number, cost: number, now: number): Decision {
    const states = this.#first;
    const decision = draftDecision(states.limit, 'memory', now);
    states.look(slot, now, cost, decision);
    if (!decision.allowed) return decision;
    if (this.#permits !== undefined) return this.#grant(slot, [decision], cost, now, 0);
    states.commit(slot, now, cost, 0);
    decision.granted = cost;
    return decision;
  }

  #takeFromAll(slot: number, cost: number, now: number, watching: number): Decision {
    const looks = this.#slots.states.map((states) => states.look(slot, now, cost));
    if (looks.every(({ allowed }) => allowed)) return this.#grant(slot, looks, cost, now, 0);
    const isShadowed = looks.every(({ allowed }, i) => allowed || onlyWatches(watching, i));
    // The decision of a limit that is not charged must not count the cost in `remaining`.
    const decisions = looks.map((look, i) => {
      const isCharged = isShadowed && !onlyWatches(watching, i);
      return look.allowed && !isCharged ? (this.#slots.states[i] as SlotStates).look(slot, now, 0) : look;
    });
    if (!isShadowed) return this.#combine(decisions, 0, now, watching);
    const granted = allOnlyWatch(watching, looks.length) ? 0 : cost;
    return shadowedDecision(this.#grant(slot, decisions, cost, now, watching), granted);
  }

  #updatePermits(key: string, change: (limit: PermitLimit, state: StateNumbers, now: number) => boolean): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slots.find(key, now);
    const states = this.#slots.states.find(({ limit }) => limit === this.#permits);
    if (slot < 0 || states === undefined) return false;
    const changed = change(states.limit as PermitLimit, states.state(slot), now);
    states.writeBack(slot);
    return changed;
  }

  /** Charges all limits except those that only watch. */
  #grant(slot: number, decisions: readonly LimitDecision[], cost: number, now: number, watching: number): Decision {
    const grantsPermit = this.#permits !== undefined && !onlyWatches(watching, this.#limits.indexOf(this.#permits));
    const permit = grantsPermit ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
    this.#slots.states.forEach((states, i) => {
      if (!onlyWatches(watching, i)) states.commit(slot, now, cost, permit);
    });
    const decision = this.#combine(decisions, cost, now);
    return grantsPermit ? { ...decision, permit } : decision;
  }

  #denyBlocked(key: string, cost: number, now: number, waitMs: number, watching: number): Decision {
    const slot = this.#slots.find(key, now);
    const decisions = blockedDecisions((one) => this.#look(slot, now + waitMs, one), cost, waitMs, watching);
    const denied = this.#combine(decisions, 0, now);
    return allOnlyWatch(watching, decisions.length) ? shadowedDecision(denied, 0) : denied;
  }

  #peek(key: string, cost: number, now: number): Decision {
    return this.#combine(this.#look(this.#slots.find(key, now), now, cost), 0, now);
  }

  /** `slot` is -1 for a key that has none. */
  #look(slot: number, now: number, cost: number): LimitDecision[] {
    return this.#slots.states.map((states) =>
      slot < 0
        ? states.limit.look(new Array<number>(states.limit.width).fill(0), 0, now, cost)
        : states.look(slot, now, cost),
    );
  }

  /** The fewest tokens left under any limit that can deny. */
  #tokensLeft(key: string, now: number, watching: number): number {
    const all = this.#peek(key, 0, now);
    const denying = (all.policies ?? [all]).filter((_, i) => !onlyWatches(watching, i));
    return Math.min(...denying.map(({ allowed, remaining }) => (allowed ? remaining : 0)));
  }

  #charge(slot: number, now: number, amount: number, stamp: number | undefined): void {
    for (const states of this.#slots.states) states.charge(slot, now, amount, stamp);
  }

  #combine(decisions: readonly LimitDecision[], granted: number, now: number, watching = 0): Decision {
    return combineDecisions(this.#limits, decisions, 'memory', granted, now, watching);
  }
}
