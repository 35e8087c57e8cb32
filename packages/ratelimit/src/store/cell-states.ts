/**
 * The states of sliding windows. Their counts are usually small whole numbers, so a cell takes two bytes: a window of ten
 * cells takes 30 bytes per key instead of 96. The first count that does not fit exactly (a fraction, or more than 65,535)
 * converts all cells of the limit to four bytes, and if those are not exact either, to eight. No count is ever rounded.
 */
import type { Limit } from '../algorithms/limit.ts';
import { SlotStates } from './slot-states.ts';

type Counts = Uint16Array | Float32Array | Float64Array;

/** Narrowest first. */
const ARRAY_TYPES = [Uint16Array, Float32Array, Float64Array] as const;

export class CellStates extends SlotStates {
  /** The newest cell of each slot. */
  #newest: Float64Array;
  #counts: Counts;
  /** Index into ARRAY_TYPES. */
  #arrayType = 0;
  /** Number of cells per slot. */
  readonly #ring: number;
  /** The state that `state()` returned last, for one slot at a time. */
  readonly #row: Float64Array;

  constructor(limit: Limit, slots: number) {
    super(limit);
    this.#ring = limit.width - 1;
    this.#newest = new Float64Array(slots);
    this.#counts = new Uint16Array(slots * this.#ring);
    this.#row = new Float64Array(limit.width);
  }

  override get bytes(): number {
    return this.#newest.byteLength + this.#counts.byteLength;
  }

  override state(slot: number): Float64Array {
    const row = this.#row;
    const counts = this.#counts;
    const ring = this.#ring;
    const base = slot * ring;
    row[0] = this.#newest[slot] as number;
    for (let i = 0; i < ring; i++) row[i + 1] = counts[base + i] as number;
    return row;
  }

  override base(): number {
    return 0;
  }

  override writeBack(slot: number): void {
    this.#newest[slot] = this.#row[0] as number;
    const base = slot * this.#ring;
    for (let i = 0; i < this.#ring; i++) {
      const count = this.#row[i + 1] as number;
      this.#counts[base + i] = count;
      while (this.#counts[base + i] !== count && this.#widen()) this.#counts[base + i] = count;
    }
  }

  override copy(slot: number): readonly number[] {
    return [...this.state(slot)];
  }

  override restore(slot: number, numbers: readonly number[]): void {
    this.#row.set(numbers);
    this.writeBack(slot);
  }

  override clear(slot: number): void {
    this.#newest[slot] = 0;
    this.#counts.fill(0, slot * this.#ring, (slot + 1) * this.#ring);
  }

  override grow(slots: number): void {
    const newest = new Float64Array(slots);
    newest.set(this.#newest);
    this.#newest = newest;
    this.#reallocate(slots * this.#ring);
  }

  /** Converts all counts to the next wider type; false if they have the widest already. */
  #widen(): boolean {
    if (this.#arrayType === ARRAY_TYPES.length - 1) return false;
    this.#arrayType++;
    this.#reallocate(this.#counts.length);
    return true;
  }

  #reallocate(cells: number): void {
    const ArrayType = ARRAY_TYPES[this.#arrayType] as (typeof ARRAY_TYPES)[number];
    const counts = new ArrayType(cells);
    counts.set(this.#counts);
    this.#counts = counts;
  }
}
