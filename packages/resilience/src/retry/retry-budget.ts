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
 * How many retries and hedges a stream of calls may cause. One budget for each dependency, shared by everything that
 * repeats calls to it: retries that are a fixed number a call multiply the load exactly when it can be borne least.
 *
 * Callers of policies only make budgets; the policies tell them what happens.
 */
export interface RetryBudget {
  /** A call began. */
  callStarted(now: number): void;
  /** A call ended, however it did. */
  callEnded(): void;
  /** A call succeeded after so many retries; `throttled` tells whether the failure before was a throttling. */
  callSucceeded(retries: number, throttled: boolean): void;
  /** A try failed in a way that would be retried. */
  attemptFailed(): void;
  /** Asks for one more try and, if granted, pays for it. */
  tryRetry(throttled: boolean, now: number): boolean;
  /** A granted try ended. */
  retryEnded(): void;
  describe(): string;
  stats(): PolicyStats;
}

export interface RetryBudgetOptions {
  /**
   * Retries for each call, 0 to 1: 0.2 are 20 %. More than one would be no budget, and is called {@link unlimitedRetries}.
   * Default: 0.2 (Finagle).
   */
  ratio?: number;
  /** Retries a second that are allowed however few calls there are, at least 0. Default: 3. */
  minPerSecond?: number;
  /** How long a call's credit lasts, in milliseconds, 1 000 to 60 000. Default: 10 000 (Finagle). */
  ttlMs?: number;
  /** Default: the system clock. */
  clock?: Clock;
}

const BUCKETS = 10;

/**
 * Finagle's retry budget. Each call deposits one unit that lasts `ttlMs`; a retry withdraws `1 / ratio` units; the floor
 * is a reserve of `minPerSecond` retries for each second of the ttl. A withdrawal lasts as long as a deposit, which is
 * how the reserve comes back.
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
    // The tolerance is for sums of fractions such as 1 / 0.3, which are not exact.
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
 * A budget of retries as a share of calls over a sliding time, with a floor. Make one for each dependency and hand it
 * to every policy that repeats calls to it.
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

/** Grants every retry: for work where repeating costs nothing, and for tests. */
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
