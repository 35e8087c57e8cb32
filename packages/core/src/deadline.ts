import { systemClock, type Clock } from './clock.ts';
import { assertNumber } from './options.ts';

/** The moment after which an answer is of no use, on the monotonic clock. */
export interface Deadline {
  /** Milliseconds left; 0 when it has passed. */
  remainingMs(): number;
  readonly expired: boolean;
}

const ANY_TIME = { infinite: true };

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

/**
 * A deadline `timeoutMs` milliseconds from now; one of 0 or less has passed.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for what is no number, such as NaN made of a header: it would never pass.
 */
export function deadlineAfter(timeoutMs: number, clock: Clock = systemClock): Deadline {
  assertNumber('deadlineAfter.timeoutMs', timeoutMs, ANY_TIME);
  return new MonotonicDeadline(clock, clock.monotonic() + timeoutMs);
}

/** The one of the two that comes first. */
export function earliestDeadline(a: Deadline | undefined, b: Deadline | undefined): Deadline | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.remainingMs() <= b.remainingMs() ? a : b;
}
