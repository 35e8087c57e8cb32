import type { Limit } from '../algorithms/limit.ts';
import { SlotStates } from './slot-states.ts';

/** States of a fixed number of doubles. The limit works on them in place. */
export class RowStates extends SlotStates {
  #numbers: Float64Array;

  constructor(limit: Limit, slots: number) {
    super(limit);
    this.#numbers = new Float64Array(slots * limit.width);
  }

  override get bytes(): number {
    return this.#numbers.byteLength;
  }

  override state(): Float64Array {
    return this.#numbers;
  }

  override base(slot: number): number {
    return slot * this.limit.width;
  }

  override writeBack(): void {}

  override copy(slot: number): readonly number[] {
    return [...this.#numbers.subarray(this.base(slot), this.base(slot + 1))];
  }

  override restore(slot: number, numbers: readonly number[]): void {
    this.#numbers.set(numbers, this.base(slot));
  }

  override clear(slot: number): void {
    this.#numbers.fill(0, this.base(slot), this.base(slot + 1));
  }

  override grow(slots: number): void {
    const larger = new Float64Array(slots * this.limit.width);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
