/**
 * The cells of a sliding window hold small whole numbers as a rule, so each takes two bytes: a window of ten cells fits into 30
 * bytes a key instead of 96. The first count that two bytes cannot hold (a fraction, or more than 65,535 in a cell) moves all cells
 * of the limit to four bytes, and one that those cannot hold exactly to eight. No count is ever rounded.
 */
import type { Limit } from '../algorithms/limit.ts';
import { SlotStates } from './slot-states.ts';

type Counts = Uint16Array | Float32Array | Float64Array;

/** From the narrowest. */
const FORMS = [Uint16Array, Float32Array, Float64Array] as const;

export class CellStates extends SlotStates {
  /** The newest cell of each slot. */
  #newest: Float64Array;
  #counts: Counts;
  #form = 0;
  /** Cells a slot. */
  readonly #ring: number;
  /** The slot that is at work. */
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

  override keep(slot: number): void {
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
    this.keep(slot);
  }

  override clear(slot: number): void {
    this.#newest[slot] = 0;
    this.#counts.fill(0, slot * this.#ring, (slot + 1) * this.#ring);
  }

  override grow(slots: number): void {
    const newest = new Float64Array(slots);
    newest.set(this.#newest);
    this.#newest = newest;
    this.#recount(slots * this.#ring);
  }

  #widen(): boolean {
    if (this.#form === FORMS.length - 1) return false;
    this.#form++;
    this.#recount(this.#counts.length);
    return true;
  }

  #recount(cells: number): void {
    const Form = FORMS[this.#form] as (typeof FORMS)[number];
    const counts = new Form(cells);
    counts.set(this.#counts);
    this.#counts = counts;
  }
}
