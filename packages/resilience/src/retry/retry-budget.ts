import {
  assertClock,
  assertDurationMs,
  assertKnownOptions,
  assertNumber,
  assertObject,
  systemClock,
  type Clock,
} from '@macadam/core';
import type { PolicyStats } from '../policy.ts';

/**
 * Limits the retries and hedges of a dependency. Use one budget per dependency, shared by everything that repeats calls to it:
 * a fixed number of retries per call multiplies the load exactly when the dependency can bear it least.
 *
 * The methods are called by `retry()` and `hedge()`; implement them to write a budget of your own. What they throw becomes a process
 * warning, and a `tryRetry` that throws allows nothing.
 */
export interface RetryBudget {
  /** Called when a call begins. `now` is the monotonic time in milliseconds. */
  callStarted(now: number): void;
  /** Called when a call has ended, with any outcome. */
  callEnded(): void;
  /** Called when a call succeeded after `retries` retries; `throttled` says whether the attempt before was throttled. */
  callSucceeded(retries: number, throttled: boolean): void;
  /** Called when an attempt failed with a retryable outcome. */
  attemptFailed(): void;
  /** Returns whether one more attempt is allowed, and charges the budget for it if so. */
  tryRetry(throttled: boolean, now: number): boolean;
  /** Called when an attempt allowed by `tryRetry` has ended. */
  retryEnded(): void;
  /** Describes the effective options in words. */
  describe(): string;
  /** Counts since the budget was created, and its current balance. */
  stats(): PolicyStats;
}

/** Options of {@link retryBudget}. */
export interface RetryBudgetOptions {
  /**
   * Retries allowed per call, 0 to 1: 0.2 allows retries for 20 % of the calls. For more use {@link unlimitedRetries}. Default: 0.2
   * (Finagle).
   */
  ratio?: number;
  /** Retries allowed per second regardless of the number of calls, at least 0. Default: 3. */
  minPerSecond?: number;
  /** How long a call counts, in milliseconds, 1 000 to 60 000. Default: 10 000 (Finagle). */
  ttlMs?: number;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

const BUCKETS = 10;

/**
 * Finagle's retry budget. Each call deposits one unit for `ttlMs`; a retry withdraws `1 / ratio` units; in addition there
 * is a reserve of `minPerSecond` retries per second of `ttlMs`. A withdrawal expires after `ttlMs` as well, which is how
 * the reserve is refilled.
 */
class WindowBudget implements RetryBudget {
  readonly #ratio: number;
  readonly #minPerSecond: number;
  readonly #ttlMs: number;
  readonly #bucketMs: number;
  readonly #price: number;
  readonly #deposit: number;
  readonly #reserve: number;
  readonly #units = new Float64Array(BUCKETS);
  #sum = 0;
  #bucketEndsAt: number;
  #bucket = 0;
  #granted = 0;
  #refused = 0;

  constructor(ratio: number, minPerSecond: number, ttlMs: number, now: number) {
    this.#ratio = ratio;
    this.#minPerSecond = minPerSecond;
    this.#ttlMs = ttlMs;
    this.#bucketMs = ttlMs / BUCKETS;
    this.#deposit = ratio > 0 ? 1 : 0;
    this.#price = ratio > 0 ? 1 / ratio : 1;
    this.#reserve = (minPerSecond * ttlMs * this.#price) / 1_000;
    this.#bucketEndsAt = now + this.#bucketMs;
  }

  callStarted(now: number): void {
    this.#rotate(now);
    this.#units[this.#bucket] = (this.#units[this.#bucket] as number) + this.#deposit;
    this.#sum += this.#deposit;
  }

  tryRetry(_throttled: boolean, now: number): boolean {
    this.#rotate(now);
    // Tolerates rounding errors in sums of fractions such as 1 / 0.3.
    if (this.#sum + this.#reserve < this.#price - 1e-9) {
      this.#refused++;
      return false;
    }
    this.#units[this.#bucket] = (this.#units[this.#bucket] as number) - this.#price;
    this.#sum -= this.#price;
    this.#granted++;
    return true;
  }

  #rotate(now: number): void {
    if (now < this.#bucketEndsAt) return;
    let passed = Math.floor((now - this.#bucketEndsAt) / this.#bucketMs) + 1;
    this.#bucketEndsAt += passed * this.#bucketMs;
    for (passed = Math.min(passed, BUCKETS); passed > 0; passed--) {
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#sum -= this.#units[this.#bucket] as number;
      this.#units[this.#bucket] = 0;
    }
  }

  callEnded(): void {}
  callSucceeded(): void {}
  attemptFailed(): void {}
  retryEnded(): void {}

  describe(): string {
    return `retry budget: ${this.#ratio * 100} % of the calls of the last ${this.#ttlMs} ms, and ${this.#minPerSecond} a second`;
  }

  stats(): PolicyStats {
    const balance = Math.max(0, Math.floor((this.#sum + this.#reserve) / this.#price + 1e-9));
    return { balance, granted: this.#granted, refused: this.#refused };
  }
}

/**
 * Makes a retry budget: retries may be a share of the calls of the last `ttlMs`, and some per second in any case. Make one for each
 * dependency, and pass it to all policies that repeat calls to it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { retry, retryBudget } from '@macadam/resilience';
 *
 * const budget = retryBudget({ ratio: 0.1 });
 * const reads = retry({ budget });
 * const writes = retry({ budget, maxAttempts: 2 });
 * await Promise.all([reads.execute(async () => 'row'), writes.execute(async () => 'ok')]);
 * ```
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  assertObject('retryBudget', options);
  assertKnownOptions('retryBudget', options, ['ratio', 'minPerSecond', 'ttlMs', 'clock']);
  const { ratio = 0.2, minPerSecond = 3, ttlMs = 10_000, clock = systemClock } = options;
  assertNumber('retryBudget.ratio', ratio, { min: 0, max: 1 });
  assertNumber('retryBudget.minPerSecond', minPerSecond, { min: 0 });
  assertDurationMs('retryBudget.ttlMs', ttlMs, { min: 1_000, max: 60_000 });
  assertClock('retryBudget.clock', clock);
  return new WindowBudget(ratio, minPerSecond, ttlMs, clock.monotonic());
}

/** A retry budget that allows all retries: for calls that cost the dependency nothing, and for tests. */
export const unlimitedRetries: RetryBudget = {
  callStarted() {},
  callEnded() {},
  callSucceeded() {},
  attemptFailed() {},
  tryRetry: () => true,
  retryEnded() {},
  describe: () => 'no retry budget',
  stats: () => ({}),
};
