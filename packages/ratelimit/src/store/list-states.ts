/**
 * States of varying length: the log of a sliding log, or a list of permits. Each slot has a block in one shared array.
 * Blocks come in a few sizes, and a freed block is reused for the next slot that needs its size. An array per key would
 * take a hundred bytes before its first number.
 */
import type { Limit, LimitKind } from '../algorithms/limit.ts';
import { nextCapacity, SlotStates } from './slot-states.ts';

/** Numbers per entry of the list. */
const ENTRY_LENGTHS: Partial<Record<LimitKind, number>> = { slidingLog: 2, concurrency: 3 };

export class ListStates extends SlotStates {
  #pool = new Float64Array(0);
  /** The pool is unused from here on. */
  #used = 0;
  /** For each slot, where its block starts in the pool, and how many numbers it holds. */
  #starts: Uint32Array;
  #lengths: Uint32Array;
  /** Starts of free blocks, by block size. */
  readonly #free = new Map<number, number[]>();
  readonly #entryLength: number;
  /** The state that `state()` returned last, for one slot at a time. */
  readonly #list: number[] = [];

  constructor(limit: Limit, slots: number) {
    super(limit);
    this.#entryLength = ENTRY_LENGTHS[limit.kind] ?? 1;
    this.#starts = new Uint32Array(slots);
    this.#lengths = new Uint32Array(slots);
  }

  override get bytes(): number {
    let freeLists = 0;
    for (const starts of this.#free.values()) freeLists += starts.length * 8;
    return this.#pool.byteLength + this.#starts.byteLength + this.#lengths.byteLength + freeLists;
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

  override writeBack(slot: number): void {
    const { length } = this.#list;
    const size = this.#blockSize(length);
    const oldSize = this.#blockSize(this.#lengths[slot] as number);
    if (size !== oldSize) {
      this.#freeBlock(this.#starts[slot] as number, oldSize);
      this.#starts[slot] = this.#allocateBlock(size);
    }
    this.#lengths[slot] = length;
    this.#pool.set(this.#list, this.#starts[slot] as number);
  }

  override copy(slot: number): readonly number[] {
    return [...this.state(slot)];
  }

  override restore(slot: number, numbers: readonly number[]): void {
    this.#list.splice(0, Infinity, ...numbers);
    this.writeBack(slot);
  }

  override clear(slot: number): void {
    this.restore(slot, []);
  }

  override grow(slots: number): void {
    this.#starts = enlarged(this.#starts, slots);
    this.#lengths = enlarged(this.#lengths, slots);
  }

  /** The size of the block that holds `length` numbers: room for 1, 2, 3, 4, 6, 8, 12 entries and so on. */
  #blockSize(length: number): number {
    const entries = Math.ceil(length / this.#entryLength);
    if (entries < 4) return entries * this.#entryLength;
    const power = 2 ** (31 - Math.clz32(entries));
    const size = entries === power ? power : entries <= power * 1.5 ? power * 1.5 : power * 2;
    return size * this.#entryLength;
  }

  /** Returns the start of a block of this size. */
  #allocateBlock(size: number): number {
    if (size === 0) return 0;
    const free = this.#free.get(size)?.pop();
    if (free !== undefined) return free;
    const start = this.#used;
    this.#used += size;
    if (this.#used > this.#pool.length) {
      const larger = new Float64Array(nextCapacity(this.#used));
      larger.set(this.#pool);
      this.#pool = larger;
    }
    return start;
  }

  #freeBlock(start: number, size: number): void {
    if (size === 0) return;
    const starts = this.#free.get(size);
    if (starts === undefined) this.#free.set(size, [start]);
    else starts.push(start);
  }
}

function enlarged(numbers: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(numbers);
  return larger;
}
