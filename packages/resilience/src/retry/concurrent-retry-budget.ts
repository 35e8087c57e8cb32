import { assertInteger, assertKnownOptions, assertNumber, assertObject } from '@macadam/core';
import type { PolicyStats } from '../policy.ts';
import type { RetryBudget } from './retry-budget.ts';

/** Options of {@link concurrentRetryBudget}. */
export interface ConcurrentRetryBudgetOptions {
  /** Maximum number of retries in flight as a share of the calls in flight, 0 to 1. Default: 0.2 (Envoy). */
  ratio?: number;
  /** Retries in flight that are allowed regardless of the number of calls, at least 0. Default: 3 (Envoy). */
  minConcurrent?: number;
}

/**
 * Makes a retry budget like that of Envoy: at most `ratio` of the calls in flight may be retries, and `minConcurrent` in any case. It
 * suits few, long calls; for most others use `retryBudget()`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { concurrentRetryBudget, retry } from '@macadam/resilience';
 *
 * await retry({ budget: concurrentRetryBudget({ ratio: 0.2 }) }).execute(async () => 'ok');
 * ```
 */
export function concurrentRetryBudget(options: ConcurrentRetryBudgetOptions = {}): RetryBudget {
  assertObject('concurrentRetryBudget', options);
  assertKnownOptions('concurrentRetryBudget', options, ['ratio', 'minConcurrent']);
  const { ratio = 0.2, minConcurrent = 3 } = options;
  assertNumber('concurrentRetryBudget.ratio', ratio, { min: 0, max: 1 });
  assertInteger('concurrentRetryBudget.minConcurrent', minConcurrent, { min: 0 });
  let calls = 0;
  let retries = 0;
  let granted = 0;
  let refused = 0;
  const limit = (): number => Math.max(minConcurrent, Math.floor(calls * ratio));
  return {
    callStarted() {
      calls++;
    },
    callEnded() {
      calls--;
    },
    callSucceeded() {},
    attemptFailed() {},
    tryRetry() {
      if (retries >= limit()) {
        refused++;
        return false;
      }
      retries++;
      granted++;
      return true;
    },
    retryEnded() {
      retries--;
    },
    describe: () => `retry budget: ${ratio * 100} % of the calls in flight, at least ${minConcurrent}`,
    stats: (): PolicyStats => ({ balance: Math.max(0, limit() - retries), calls, retries, granted, refused }),
  };
}
