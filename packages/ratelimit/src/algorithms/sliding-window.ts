/**
 * A window that slides in steps: the period is divided into K cells, and the counts of the cells that the window overlaps
 * are added up.
 *
 * The window [now - period, now] overlaps K + 1 cells, the oldest of them only partly. Counting that one in full
 * (`conservative`) never allows more than the limit in any period, and allows K/(K+1) of the limit at an even load.
 * Counting only the part that is still in the window (`interpolated`) allows all of the limit, and is exact if the load
 * is even within that cell.
 *
 * State: [number of the newest cell, then a ring of the counts of K + 1 cells, each at its number modulo K + 1].
 */
import { assertInteger, assertKnownOptions, assertObject, assertOneOf } from '@macadam/core';
import type { LimitDecision } from '../decision.ts';
import {
  assertLimitOptions,
  defaultName,
  fillDecision,
  TICK_MS,
  emptyDecision,
  wholeMs,
  wholeRemaining,
  type Limit,
  type LimitOptions,
  type StateNumbers,
  type MutableDecision,
} from './limit.ts';
import { BaseLimit } from './base-limit.ts';

/** Options of `slidingWindow`. */
export interface SlidingWindowOptions extends LimitOptions {
  /**
   * Number of parts that the period is divided into, 1 to 120, each at least a millisecond. More is more precise; each
   * takes 2 bytes per key in memory while costs are whole and no cell exceeds 65,535, otherwise 4 or 8. Default: 10.
   */
  cells?: number;
  /**
   * `conservative` never lets more than `limit` through in any period; `interpolated` weighs the oldest cell by the
   * part that is still in the window. Default: `conservative`.
   */
  mode?: 'conservative' | 'interpolated';
}

class SlidingWindow extends BaseLimit {
  readonly kind = 'slidingWindow';
  readonly #cells: number;
  readonly #interpolated: boolean;
  /** Whole milliseconds, so that cell numbers are exact at any distance from the origin of the clock. */
  readonly #cellMs: number;

  constructor(name: string, limit: number, periodMs: number, cells: number, interpolated: boolean, enforce: number) {
    const cellMs = Math.ceil(periodMs / cells);
    const parameters = [limit, cellMs, cells, interpolated ? 1 : 0];
    super({ name, limit, periodMs, width: cells + 2, parameters, enforce });
    this.#cells = cells;
    this.#interpolated = interpolated;
    this.#cellMs = cellMs;
  }

  look(
    state: StateNumbers,
    base: number,
    now: number,
    cost: number,
    into: MutableDecision = emptyDecision(),
  ): LimitDecision {
    const { limit } = this;
    const cell = this.#cellAt(state, base, now);
    const used = this.#used(state, base, now, cell);
    if (used + cost <= limit + this.slack) {
      const newest = cost > 0 ? cell : this.#newestUsed(state, base, cell);
      return fillDecision(
        into,
        true,
        limit,
        wholeRemaining(limit - used - cost, limit, this.slack),
        0,
        newest < 0 ? 0 : wholeMs(this.#endOf(newest) - now),
      );
    }
    return fillDecision(
      into,
      false,
      limit,
      wholeRemaining(limit - used, limit, this.slack),
      cost > limit ? Infinity : wholeMs(this.#allowedAt(state, base, cell, cost) - now),
      wholeMs(this.#endOf(this.#newestUsed(state, base, cell)) - now),
    );
  }

  commit(state: StateNumbers, base: number, now: number, cost: number): void {
    const head = state[base] as number;
    const cell = this.#cellAt(state, base, now);
    const ring = this.#cells + 1;
    for (let gone = Math.max(head + 1, cell - this.#cells); gone <= cell; gone++) state[base + 1 + (gone % ring)] = 0;
    state[base] = cell;
    const at = base + 1 + (cell % ring);
    state[at] = (state[at] as number) + cost;
  }

  charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void {
    if (amount > 0) {
      this.commit(state, base, now, amount);
      return;
    }
    const cell = this.#cellAt(state, base, now);
    const ring = this.#cells + 1;
    // Without a stamp the oldest cells are refunded first: what remains counted then stays counted the longest.
    const from = stamp === undefined ? cell - this.#cells : Math.floor((stamp + TICK_MS) / this.#cellMs);
    const to = stamp === undefined ? cell : from;
    let refund = -amount;
    for (let at = from; at <= to && refund > 0; at++) {
      const count = this.#count(state, base, at, cell);
      if (count <= 0) continue;
      const refunded = Math.min(count, refund);
      state[base + 1 + (at % ring)] = count - refunded;
      refund -= refunded;
    }
    // An empty window becomes the state of an unused key.
    if (this.#newestUsed(state, base, state[base] as number) < 0) state.fill(0, base, base + this.width);
  }

  expiresAt(state: StateNumbers, base: number): number {
    const newest = this.#newestUsed(state, base, state[base] as number);
    return newest < 0 ? 0 : this.#endOf(newest);
  }

  inherit(
    from: StateNumbers,
    fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    base: number,
    now: number,
  ): void {
    const [limit, cellMs, cells] = parameters as [number, number, number];
    const head = from[fromBase] as number;
    const cell = Math.floor((Math.max(now, head * cellMs) + TICK_MS) / this.#cellMs);
    const oldest = Math.max(head - cells, Math.floor((now + TICK_MS) / cellMs) - cells, 0);
    into.fill(0, base, base + this.width);
    for (let at = oldest; at <= head; at++) {
      const target = Math.min(cell, this.#cellFor((at + 1) * cellMs, cellMs));
      const count = from[fromBase + 1 + (at % (cells + 1))] as number;
      if (count === 0 || target < cell - this.#cells) continue;
      const index = base + 1 + (target % (this.#cells + 1));
      into[index] = (into[index] as number) + count * (this.limit / limit);
      into[base] = cell;
    }
  }

  share(parts: number): SlidingWindow {
    const limit = Math.max(1, Math.floor(this.limit / parts));
    return new SlidingWindow(this.name, limit, this.periodMs, this.#cells, this.#interpolated, this.enforce);
  }

  describe(): string {
    const mode = this.#interpolated ? 'interpolated' : 'conservative';
    return `"${this.name}": ${this.limit} in any ${this.periodMs} ms (sliding window of ${this.#cells} cells, ${mode})`;
  }

  #cellAt(state: StateNumbers, base: number, now: number): number {
    return Math.max(Math.floor((now + TICK_MS) / this.#cellMs), state[base] as number);
  }

  /**
   * The cell for the count of a cell of another length. All of the count is treated as if it was taken at the very end of
   * that cell. A longer cell takes it if the old cell ends in it, a shorter one if both end together. So converting a
   * count back and forth ends in the same cell: while processes with different numbers share a key, its counts still age.
   */
  #cellFor(endsAt: number, cellMs: number): number {
    return cellMs < this.#cellMs
      ? Math.floor((endsAt - TICK_MS) / this.#cellMs)
      : Math.floor((endsAt + TICK_MS) / this.#cellMs) - 1;
  }

  /** When the count of a cell has left the window. */
  #endOf(cell: number): number {
    return (cell + this.#cells + 1) * this.#cellMs - TICK_MS;
  }

  /** The count of cell `at`; 0 if it is not in the ring, or outside the window that ends with `cell`. */
  #count(state: StateNumbers, base: number, at: number, cell: number): number {
    const head = state[base] as number;
    if (at < 0 || at > head || at < head - this.#cells || at < cell - this.#cells) return 0;
    return state[base + 1 + (at % (this.#cells + 1))] as number;
  }

  #used(state: StateNumbers, base: number, now: number, cell: number): number {
    let newer = 0;
    for (let at = cell - this.#cells + 1; at <= cell; at++) newer += this.#count(state, base, at, cell);
    const oldest = this.#count(state, base, cell - this.#cells, cell);
    if (!this.#interpolated || oldest === 0) return newer + oldest;
    const passed = Math.min(1, Math.max(0, now / this.#cellMs - cell));
    return newer + oldest * (1 - passed);
  }

  #newestUsed(state: StateNumbers, base: number, cell: number): number {
    for (let at = state[base] as number; at >= cell - this.#cells; at--) {
      if (this.#count(state, base, at, cell) > 0) return at;
    }
    return -1;
  }

  /** When `cost`, at most the limit, is first allowed if nothing else is taken. */
  #allowedAt(state: StateNumbers, base: number, cell: number, cost: number): number {
    const room = this.limit + this.slack - cost;
    for (let later = 0; later <= this.#cells; later++) {
      let newer = 0;
      const oldestAt = cell + later - this.#cells;
      for (let at = oldestAt + 1; at <= cell; at++) newer += this.#count(state, base, at, cell);
      const oldest = this.#count(state, base, oldestAt, cell);
      const cellEndsAt = (cell + later + 1) * this.#cellMs;
      if (newer + oldest <= room) return cellEndsAt - this.#cellMs - TICK_MS;
      // At the end of the cell, the oldest has left the window.
      if (this.#interpolated && newer <= room)
        return cellEndsAt - Math.max(TICK_MS, ((room - newer) / oldest) * this.#cellMs);
    }
    return this.#endOf(cell);
  }
}

/**
 * Never more than `limit` in any period, wherever it begins (`conservative`), at the price of a few numbers a key.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { slidingWindow } from '@macadam/ratelimit';
 *
 * const limit = slidingWindow({ limit: 10, periodMs: 1_000 });
 * const full = limit.step([], 990, 10).next;
 * if (limit.step(full, 1_010, 1).decision.allowed) throw new Error('20 in 20 ms are what a fixed window would allow');
 * ```
 */
export function slidingWindow(options: SlidingWindowOptions): Limit {
  assertObject('slidingWindow', options);
  assertKnownOptions('slidingWindow', options, ['limit', 'periodMs', 'cells', 'mode', 'name', 'enforce']);
  assertLimitOptions('slidingWindow', options);
  const { limit, periodMs, mode = 'conservative', enforce = 1 } = options;
  const { cells = Math.min(10, Math.floor(periodMs)) } = options;
  assertInteger('slidingWindow.cells', cells, { min: 1, max: Math.min(120, periodMs) });
  assertOneOf('slidingWindow.mode', mode, ['conservative', 'interpolated']);
  const name = options.name ?? defaultName(limit, periodMs);
  return new SlidingWindow(name, limit, periodMs, cells, mode === 'interpolated', enforce);
}
