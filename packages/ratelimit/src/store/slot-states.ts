import type { Limit, StateNumbers, MutableDecision } from '../algorithms/limit.ts';
import type { LimitDecision } from '../decision.ts';

/**
 * The states of all slots under one limit, in typed arrays: a hundred thousand keys are a few objects for the garbage collector. How
 * they are kept differs by kind; a rule sees numbers in a row, and what it has changed is put back by `keep`.
 */
export abstract class SlotStates {
  readonly limit: Limit;

  constructor(limit: Limit) {
    this.limit = limit;
  }

  look(slot: number, now: number, cost: number, into?: MutableDecision): LimitDecision {
    return this.limit.look(this.state(slot), this.base(slot), now, cost, into);
  }

  commit(slot: number, now: number, cost: number, permit: number): void {
    this.limit.commit(this.state(slot), this.base(slot), now, cost, permit);
    this.keep(slot);
  }

  charge(slot: number, now: number, amount: number, stamp: number | undefined): void {
    this.limit.charge(this.state(slot), this.base(slot), now, amount, stamp);
    this.keep(slot);
  }

  expiresAt(slot: number): number {
    return this.limit.expiresAt(this.state(slot), this.base(slot));
  }

  /** Takes over the state of a slot of `others`, which are of another limit of the same kind. */
  inherit(slot: number, others: SlotStates, from: number, now: number): void {
    const { parameters } = others.limit;
    this.limit.inherit(others.state(from), others.base(from), parameters, this.state(slot), this.base(slot), now);
    this.keep(slot);
  }

  /** The numbers of a slot, from `base` on: to be read or changed at once, before another slot is asked for. */
  abstract state(slot: number): StateNumbers;
  abstract base(slot: number): number;
  /** Puts back what was changed in the numbers that `state` gave. */
  abstract keep(slot: number): void;
  abstract copy(slot: number): readonly number[];
  abstract restore(slot: number, numbers: readonly number[]): void;
  abstract clear(slot: number): void;
  abstract grow(slots: number): void;
  /** What the arrays take. */
  abstract readonly bytes: number;
}

/** The next size of something that grows: a larger step would leave more of it unused than is saved by copying less often. */
export function nextCapacity(size: number): number {
  return Math.ceil(size * 1.25);
}
