import { systemClock, type Clock } from './clock.ts';
import { assertNumber } from './options.ts';

/** A point in time after which a result is of no use. */
export interface Deadline {
  /** Returns the time left in milliseconds; 0 once the deadline has passed. */
  remainingMs(): number;
  /** Whether the deadline has passed. */
  readonly expired: boolean;
}

const FINITE_OR_INFINITE = { infinite: true };

class MonotonicDeadline implements Deadline {
  readonly #clock: Clock;
  readonly #expiresAtMs: number;

  constructor(clock: Clock, expiresAtMs: number) {
    this.#clock = clock;
    this.#expiresAtMs = expiresAtMs;
  }

  remainingMs(): number {
    return Math.max(0, this.#expiresAtMs - this.#clock.monotonic());
  }

  get expired(): boolean {
    return this.#clock.monotonic() >= this.#expiresAtMs;
  }
}

/**
 * Makes a deadline `timeoutMs` milliseconds from now. With 0 or less it has already passed; `Infinity` is allowed.
 *
 * @param clock - the clock it is measured on; default: `systemClock`
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) if `timeoutMs` is not a number.
 * @example
 * ```ts
 * import { deadlineAfter, runWork } from '@macadam/core';
 *
 * const deadline = deadlineAfter(2_000);
 * await runWork({ deadline }, async () => deadline.remainingMs());
 * ```
 */
export function deadlineAfter(timeoutMs: number, clock: Clock = systemClock): Deadline {
  assertNumber('deadlineAfter.timeoutMs', timeoutMs, FINITE_OR_INFINITE);
  return new MonotonicDeadline(clock, clock.monotonic() + timeoutMs);
}

/** Returns the deadline that passes first. */
export function earliestDeadline(a: Deadline | undefined, b: Deadline | undefined): Deadline | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.remainingMs() <= b.remainingMs() ? a : b;
}
