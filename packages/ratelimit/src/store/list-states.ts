/**
 * States whose length varies, such as a log of moments or a list of permits: each slot has a block of one shared array, of one of a few
 * sizes, and a block that was given back serves the next slot that needs its size. A list of its own a key would take a hundred
 * bytes before the first number.
 */
import type { Limit, LimitKind } from '../algorithms/limit.ts';
import { nextCapacity, SlotStates } from './slot-states.ts';

/** How many numbers are one entry. */
const UNIT: Partial<Record<LimitKind, number>> = { slidingLog: 2, concurrency: 3 };

export class ListStates extends SlotStates {
  #pool = new Float64Array(0);
  /** How much of the pool was ever handed out. */
  #used = 0;
  /** Where in the pool the block of a slot begins, and how many numbers it holds. */
  #starts: Uint32Array;
  #lengths: Uint32Array;
  /** Blocks that were given back, by their size. */
  readonly #free = new Map<number, number[]>();
  readonly #unit: number;
  /** The slot that is at work. */
  readonly #list: number[] = [];

  constructor(limit: Limit, slots: number) {
    super(limit);
    this.#unit = UNIT[limit.kind] ?? 1;
    this.#starts = new Uint32Array(slots);
    this.#lengths = new Uint32Array(slots);
  }

  override get bytes(): number {
    let freed = 0;
    for (const starts of this.#free.values()) freed += starts.length * 8;
    return this.#pool.byteLength + this.#starts.byteLength + this.#lengths.byteLength + freed;
  }

  override state(slot: number): number[] {
    const list = this.#list;
    const start = this.#starts[slot] as number;
    const length = this.#lengths[slot] as number;
    list.length = length;
    for (let i = 0; i < length; i++) list[i] = this.#pool[start + i] as number;
    return list;
  }

  override base(): number {
    return 0;
  }

  override keep(slot: number): void {
    const { length } = this.#list;
    const size = this.#sizeFor(length);
    const before = this.#sizeFor(this.#lengths[slot] as number);
    if (size !== before) {
      this.#give(this.#starts[slot] as number, before);
      this.#starts[slot] = this.#take(size);
    }
    this.#lengths[slot] = length;
    this.#pool.set(this.#list, this.#starts[slot] as number);
  }

  override copy(slot: number): readonly number[] {
    return [...this.state(slot)];
  }

  override restore(slot: number, numbers: readonly number[]): void {
    this.#list.splice(0, Infinity, ...numbers);
    this.keep(slot);
  }

  override clear(slot: number): void {
    this.restore(slot, []);
  }

  override grow(slots: number): void {
    this.#starts = longer(this.#starts, slots);
    this.#lengths = longer(this.#lengths, slots);
  }

  /** The size of the block for so many numbers: 1, 2, 3, 4, 6, 8, 12 … entries. */
  #sizeFor(length: number): number {
    const entries = Math.ceil(length / this.#unit);
    if (entries < 4) return entries * this.#unit;
    const power = 2 ** (31 - Math.clz32(entries));
    const size = entries === power ? power : entries <= power * 1.5 ? power * 1.5 : power * 2;
    return size * this.#unit;
  }

  #take(size: number): number {
    if (size === 0) return 0;
    const freed = this.#free.get(size)?.pop();
    if (freed !== undefined) return freed;
    const start = this.#used;
    this.#used += size;
    if (this.#used > this.#pool.length) {
      const larger = new Float64Array(nextCapacity(this.#used));
      larger.set(this.#pool);
      this.#pool = larger;
    }
    return start;
  }

  #give(start: number, size: number): void {
    if (size === 0) return;
    const freed = this.#free.get(size);
    if (freed === undefined) this.#free.set(size, [start]);
    else freed.push(start);
  }
}

function longer(numbers: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(numbers);
  return larger;
}
