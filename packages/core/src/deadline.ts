import { systemClock, type Clock } from './clock.ts';

/** The moment after which an answer is of no use, on the monotonic clock. */
export interface Deadline {
  /** Milliseconds left; 0 when it has passed. */
  remainingMs(): number;
  readonly expired: boolean;
}

class MonotonicDeadline implements Deadline {
  readonly #clock: Clock;
  readonly #at: number;

  constructor(clock: Clock, at: number) {
    this.#clock = clock;
    this.#at = at;
  }

  remainingMs(): number {
    return Math.max(0, this.#at - this.#clock.monotonic());
  }

  get expired(): boolean {
    return this.#clock.monotonic() >= this.#at;
  }
}

/** A deadline `timeoutMs` milliseconds from now. */
export function deadlineAfter(timeoutMs: number, clock: Clock = systemClock): Deadline {
  return new MonotonicDeadline(clock, clock.monotonic() + timeoutMs);
}

/** The one of the two that comes first. */
export function earliestDeadline(a: Deadline | undefined, b: Deadline | undefined): Deadline | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.remainingMs() <= b.remainingMs() ? a : b;
}
