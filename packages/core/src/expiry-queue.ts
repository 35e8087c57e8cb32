import type { Clock, Timer } from './clock.ts';
import { runAtRoot } from './scope.ts';

/** Something in flight that has a time limit. Extend it: the queue keeps its place in the entry itself. */
export abstract class Expiring {
  /** When it expires, on the monotonic clock. */
  expiresAt: number = Infinity;
  /** Its place in the queue's heap; -1 when it is in none. Only the queue writes it. */
  place = -1;

  /** Called once, when the time has come. The queue has let go of the entry by then. */
  abstract expire(now: number): void;
}

/**
 * Time limits for any number of things in flight with one armed timer between them.
 *
 * A timer of its own for each call costs more than most of what a call does, and on the success path it is always in
 * vain. Here `add` and `remove` move an entry in a binary heap; entries with the same limit arrive in the order they
 * expire, which is the heap's cheapest case. The timer stays armed when an entry is removed, and is set anew only when
 * it fires, so a busy queue sets one timer per time limit, not one per call. With nothing in flight, the timer does
 * not keep the process alive.
 */
export class ExpiryQueue {
  readonly #clock: Clock;
  readonly #heap: Expiring[] = [];
  #timer: Timer | undefined;
  #armedFor = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Adds an entry that is in no queue, `expiresAt` already set. `Infinity` never expires. */
  add(entry: Expiring, now: number): void {
    const heap = this.#heap;
    entry.place = heap.push(entry) - 1;
    // Entries with the same limit come in the order they expire: the last place is theirs.
    if (entry.place > 0) this.#rise(entry, entry.place);
    if (entry.expiresAt < this.#armedFor) this.#arm(entry.expiresAt, now);
    else if (heap.length === 1) this.#timer?.ref?.();
  }

  /** Takes an entry out; does nothing when it has expired or was taken out before. */
  remove(entry: Expiring): void {
    const at = entry.place;
    if (at < 0) return;
    entry.place = -1;
    const heap = this.#heap;
    const last = heap.pop() as Expiring;
    if (last !== entry) {
      this.#rise(last, at);
      this.#sink(last, last.place);
    }
    if (heap.length === 0) this.#idle();
  }

  #idle(): void {
    const timer = this.#timer;
    if (timer === undefined) return;
    if (timer.unref === undefined) {
      timer.cancel();
      this.#timer = undefined;
      this.#armedFor = Infinity;
    } else timer.unref();
  }

  #arm(at: number, now: number): void {
    this.#timer?.cancel();
    this.#armedFor = at;
    // A timer keeps what travels with the call that armed it, and is armed again from there as long as there is something in flight.
    this.#timer = runAtRoot(() => this.#clock.setTimer(() => this.#fire(), at - now));
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedFor = Infinity;
    const heap = this.#heap;
    const now = this.#clock.monotonic();
    let first = heap[0];
    while (first !== undefined && first.expiresAt <= now) {
      this.remove(first);
      first.expire(now);
      first = heap[0];
    }
    // An entry that was added while others expired may have armed the timer already.
    if (first !== undefined && first.expiresAt < this.#armedFor) this.#arm(first.expiresAt, now);
  }

  #rise(entry: Expiring, from: number): void {
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

  #sink(entry: Expiring, from: number): void {
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
