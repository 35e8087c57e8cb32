import type { Limit, StateNumbers, MutableDecision } from '../algorithms/limit.ts';
import type { LimitDecision } from '../decision.ts';

/**
 * The states of all slots under one limit, in typed arrays: a hundred thousand keys are a few objects for the garbage
 * collector. Subclasses store them in different forms. A limit works on plain numbers (`state`, from index `base`), and
 * `writeBack` stores what it has changed.
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
    this.writeBack(slot);
  }

  charge(slot: number, now: number, amount: number, stamp: number | undefined): void {
    this.limit.charge(this.state(slot), this.base(slot), now, amount, stamp);
    this.writeBack(slot);
  }

  expiresAt(slot: number): number {
    return this.limit.expiresAt(this.state(slot), this.base(slot));
  }

  /** Converts the state of slot `from` of another limit of the same kind, and stores it in `slot`. */
  inherit(slot: number, others: SlotStates, from: number, now: number): void {
    const { parameters } = others.limit;
    this.limit.inherit(others.state(from), others.base(from), parameters, this.state(slot), this.base(slot), now);
    this.writeBack(slot);
  }

  /** The state of a slot, from index `base(slot)` on. Valid until `state` is called for another slot. */
  abstract state(slot: number): StateNumbers;
  abstract base(slot: number): number;
  /** Stores the numbers that `state(slot)` returned, after a change. */
  abstract writeBack(slot: number): void;
  abstract copy(slot: number): readonly number[];
  abstract restore(slot: number, numbers: readonly number[]): void;
  abstract clear(slot: number): void;
  abstract grow(slots: number): void;
  /** Memory of the arrays. */
  abstract readonly bytes: number;
}

/** The next size of a growing array. A larger factor would waste more memory than it saves in copying. */
export function nextCapacity(size: number): number {
  return Math.ceil(size * 1.25);
}
