import {
  Expiring,
  ExpiryQueue,
  onAbort,
  runAtRoot,
  type Clock,
  type Priority,
  type Timer,
  type Unsubscribe,
  type Waiting,
} from '@macadam/core';
import { FairQueue, type Queued } from './fair-queue.ts';

/** A caller that waits for its turn. */
export class Turn extends Expiring implements Queued {
  ahead: Waiting | undefined = undefined;
  behind: Waiting | undefined = undefined;
  waits = false;
  readonly priority: Priority;
  readonly tenant: string;
  readonly queuedAt: number;
  readonly #queue: TurnQueue;
  readonly #resolve: (turn: Turn) => void;
  readonly #reject: (error: unknown) => void;
  #unsubscribe: Unsubscribe | undefined;

  constructor(queue: TurnQueue, request: TurnRequest, resolve: (turn: Turn) => void, reject: (error: unknown) => void) {
    super();
    this.#queue = queue;
    this.priority = request.priority;
    this.tenant = request.tenant;
    this.queuedAt = request.now;
    this.expiresAt = request.now + request.maxWaitMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  watch(signal: AbortSignal | undefined): void {
    this.#unsubscribe = onAbort(signal, (reason) => this.#queue.remove(this, reason));
  }

  grant(): void {
    this.#unsubscribe?.();
    this.#resolve(this);
  }

  reject(error: unknown): void {
    this.#unsubscribe?.();
    this.#reject(error);
  }

  override expire(now: number): void {
    this.#queue.remove(this, this.#queue.expiredError(this, now));
  }
}

export interface TurnRequest {
  readonly priority: Priority;
  readonly tenant: string;
  readonly now: number;
  readonly maxWaitMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The callers that wait for a turn, by priority and fair to tenants. One timer serves the longest waits of all, and one
 * wakes the owner for the next turn. An empty queue has neither.
 */
export class TurnQueue {
  readonly #clock: Clock;
  readonly #queue = new FairQueue<Turn>();
  readonly #expiries: ExpiryQueue;
  /** Makes the error for a caller whose longest wait has passed. */
  readonly expiredError: (turn: Turn, now: number) => unknown;
  readonly #wake: (now: number) => void;
  #wakeTimer: Timer | undefined;
  #wakesAt = Infinity;

  constructor(
    clock: Clock,
    expiredError: (turn: Turn, now: number) => unknown,
    wake: (now: number) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#expiries = new ExpiryQueue(clock);
    this.expiredError = expiredError;
    this.#wake = wake;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** How many are served before a newcomer of this priority. */
  countAhead(priority: Priority): number {
    return this.#queue.countAhead(priority);
  }

  /** Resolves when the turn is granted; rejects when it expires, its signal aborts, or it is rejected. */
  wait(request: TurnRequest): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const turn = new Turn(this, request, resolve, reject);
      this.#queue.add(turn);
      this.#expiries.add(turn, request.now);
      turn.watch(request.signal);
    });
  }

  /** Wakes the owner at that time or earlier, unless the queue is empty by then. */
  wakeAt(at: number, now: number): void {
    if (at >= this.#wakesAt) return;
    this.#wakeTimer?.cancel();
    this.#wakesAt = at;
    const fire = (): void => {
      this.#wakesAt = Infinity;
      this.#wake(this.#clock.monotonic());
    };
    // At the root: the timer would retain the asynchronous context of the caller that happened to set it.
    this.#wakeTimer = runAtRoot(() => this.#clock.setTimer(fire, Math.ceil(at - now)));
  }

  /** Removes and returns the next turn. The caller must grant or reject it. */
  next(order: 'fifo' | 'lifo'): Turn | undefined {
    const turn = this.#queue.next(order);
    if (turn !== undefined) this.#recordLeft(turn);
    return turn;
  }

  /** Rejects the oldest turn of the lowest priority to make room; false if none has a lower priority. */
  evictLowerPriority(priority: Priority, error: (turn: Turn) => unknown): boolean {
    const turn = this.#queue.oldestBelow(priority);
    if (turn === undefined) return false;
    this.remove(turn, error(turn));
    return true;
  }

  /** Rejects a turn, unless it has left the queue already. */
  remove(turn: Turn, error: unknown): void {
    if (!turn.waits) return;
    this.#queue.remove(turn);
    this.#recordLeft(turn);
    turn.reject(error);
  }

  rejectAll(error: (turn: Turn) => unknown): void {
    for (let turn = this.next('fifo'); turn !== undefined; turn = this.next('fifo')) turn.reject(error(turn));
  }

  #recordLeft(turn: Turn): void {
    this.#expiries.remove(turn);
    // Nobody waits for the next turn any more, which may be minutes away: the timer must not keep the process alive.
    if (this.#queue.size > 0 || this.#wakesAt === Infinity) return;
    this.#wakeTimer?.cancel();
    this.#wakesAt = Infinity;
  }
}
