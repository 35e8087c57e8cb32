import {
  Expiring,
  ExpiryQueue,
  onAbort,
  type Clock,
  type Priority,
  type Unsubscribe,
  type Waiting,
} from '@macadam/core';
import { FairQueue, type Queued } from './fair-queue.ts';

/** Somebody who waits for a turn. */
export class Turn extends Expiring implements Queued {
  ahead: Waiting | undefined = undefined;
  behind: Waiting | undefined = undefined;
  waits = false;
  readonly priority: Priority;
  readonly tenant: string;
  readonly queuedAt: number;
  readonly #turns: Turns;
  readonly #resolve: (turn: Turn) => void;
  readonly #reject: (error: unknown) => void;
  #unsubscribe: Unsubscribe | undefined;

  constructor(turns: Turns, wish: Wish, resolve: (turn: Turn) => void, reject: (error: unknown) => void) {
    super();
    this.#turns = turns;
    this.priority = wish.priority;
    this.tenant = wish.tenant;
    this.queuedAt = wish.now;
    this.expiresAt = wish.now + wish.limitMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  listen(signal: AbortSignal | undefined): void {
    this.#unsubscribe = onAbort(signal, (reason) => this.#turns.dismiss(this, reason));
  }

  grant(): void {
    this.#unsubscribe?.();
    this.#resolve(this);
  }

  refuse(error: unknown): void {
    this.#unsubscribe?.();
    this.#reject(error);
  }

  override expire(now: number): void {
    this.#turns.dismiss(this, this.#turns.late(this, now));
  }
}

export interface Wish {
  readonly priority: Priority;
  readonly tenant: string;
  readonly now: number;
  /** The longest wait, in milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A queue of promises, in order of importance and fair, with one timer for all the limits of those who wait. */
export class Turns {
  readonly #queue = new FairQueue<Turn>();
  readonly #timers: ExpiryQueue;
  /** What somebody is told whose wait was too long. */
  readonly late: (turn: Turn, now: number) => unknown;

  constructor(clock: Clock, late: (turn: Turn, now: number) => unknown) {
    this.#timers = new ExpiryQueue(clock);
    this.late = late;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** How many are served before somebody who comes now. */
  ahead(priority: Priority): number {
    return this.#queue.ahead(priority);
  }

  /** Rejects with the signal's reason, with what `late` says, or with what the turn is refused with. */
  wait(wish: Wish): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const turn = new Turn(this, wish, resolve, reject);
      this.#queue.add(turn);
      this.#timers.add(turn, wish.now);
      turn.listen(wish.signal);
    });
  }

  /** Takes out whoever is next. The caller owes them an answer. */
  next(order: 'fifo' | 'lifo'): Turn | undefined {
    const turn = this.#queue.next(order);
    if (turn !== undefined) this.#timers.remove(turn);
    return turn;
  }

  /** Whether somebody less important made room. */
  evictBelow(priority: Priority, error: (turn: Turn) => unknown): boolean {
    const turn = this.#queue.leastBelow(priority);
    if (turn === undefined) return false;
    this.dismiss(turn, error(turn));
    return true;
  }

  /** Refuses one who still waits. */
  dismiss(turn: Turn, error: unknown): void {
    if (!turn.waits) return;
    this.#queue.remove(turn);
    this.#timers.remove(turn);
    turn.refuse(error);
  }

  end(error: (turn: Turn) => unknown): void {
    for (let turn = this.next('fifo'); turn !== undefined; turn = this.next('fifo')) turn.refuse(error(turn));
  }
}
