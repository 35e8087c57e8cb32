import type { Clock, Timer } from './clock.ts';
import { runAtRoot } from './scope.ts';

/** The base class of entries of an {@link ExpiryQueue}: something in flight with a time limit. */
export abstract class Expiring {
  /** When the entry expires, on the monotonic clock in milliseconds. Default: `Infinity`. */
  expiresAt: number = Infinity;
  /** The position in the heap of the queue, -1 outside of it. Written by the queue only. */
  place = -1;

  /** Called once when the entry expires, after it was removed from the queue. */
  abstract expire(now: number): void;
}

/**
 * Enforces the time limits of any number of entries with a single armed timer.
 *
 * A timer per call costs more than most of what a call does, and is in vain whenever the call succeeds. Here `add` and `remove` move an
 * entry in a binary heap; entries with the same limit arrive in the order they expire, which is the cheapest case. The timer stays armed
 * when an entry is removed and is only set again when it fires, so that a busy queue sets one timer per time limit, not one per call.
 * While the queue is empty, the timer does not keep the process alive.
 */
export class ExpiryQueue {
  readonly #clock: Clock;
  readonly #heap: Expiring[] = [];
  #timer: Timer | undefined;
  #armedForMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of entries. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds an entry that is in no queue and has its `expiresAt` set; `Infinity` never expires. */
  add(entry: Expiring, now: number): void {
    const heap = this.#heap;
    entry.place = heap.push(entry) - 1;
    // Entries with the same limit arrive in the order they expire, so that they stay at the end of the heap.
    if (entry.place > 0) this.#siftUp(entry, entry.place);
    if (entry.expiresAt < this.#armedForMs) this.#arm(entry.expiresAt, now);
    else if (heap.length === 1) this.#timer?.ref?.();
  }

  /** Removes an entry; does nothing if it has expired or was removed before. */
  remove(entry: Expiring): void {
    const place = entry.place;
    if (place < 0) return;
    entry.place = -1;
    const heap = this.#heap;
    const last = heap.pop() as Expiring;
    if (last !== entry) {
      this.#siftUp(last, place);
      this.#siftDown(last, last.place);
    }
    if (heap.length === 0) this.#releaseTimer();
  }

  #releaseTimer(): void {
    const timer = this.#timer;
    if (timer === undefined) return;
    if (timer.unref === undefined) {
      timer.cancel();
      this.#timer = undefined;
      this.#armedForMs = Infinity;
    } else timer.unref();
  }

  #arm(expiresAt: number, now: number): void {
    this.#timer?.cancel();
    this.#armedForMs = expiresAt;
    // At the root: the timer would retain the asynchronous context of the call that armed it, and pass it on when it is armed again.
    this.#timer = runAtRoot(() => this.#clock.setTimer(() => this.#fire(), Math.max(0, expiresAt - now)));
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedForMs = Infinity;
    const heap = this.#heap;
    const now = this.#clock.monotonic();
    let first = heap[0];
    try {
      while (first !== undefined && first.expiresAt <= now) {
        this.remove(first);
        first.expire(now);
        first = heap[0];
      }
    } finally {
      // Also if an entry throws, for the others. One that was added while others expired may have armed the timer already.
      first = heap[0];
      if (first !== undefined && first.expiresAt < this.#armedForMs) this.#arm(first.expiresAt, now);
    }
  }

  #siftUp(entry: Expiring, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above] as Expiring;
      if (parent.expiresAt <= entry.expiresAt) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = entry;
    entry.place = place;
  }

  #siftDown(entry: Expiring, from: number): void {
    const heap = this.#heap;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && right.expiresAt < (heap[below] as Expiring).expiresAt) below++;
      const child = heap[below] as Expiring;
      if (child.expiresAt >= entry.expiresAt) break;
      heap[place] = child;
      child.place = place;
      place = below;
    }
    heap[place] = entry;
    entry.place = place;
  }
}
