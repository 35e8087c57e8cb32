import { assertKnownOptions, assertNumber, assertObject } from '@macadam/core';
import type { PolicyStats } from '../policy.ts';
import type { RetryBudget } from './retry-budget.ts';

/** Options of {@link retryQuota}. */
export interface RetryQuotaOptions {
  /** Maximum and initial number of tokens, above 0. Default: 500 (AWS SDKs). */
  capacity?: number;
  /** Tokens that a retry costs, above 0. Default: 14 (AWS SDKs, 2026). */
  cost?: number;
  /** Tokens that a retry after a throttled outcome costs, above 0. Default: 5 (AWS SDKs). */
  throttledCost?: number;
  /** Tokens gained by a call that succeeds at the first attempt, at least 0. Default: 1 (AWS SDKs). */
  successCredit?: number;
}

/**
 * Makes a retry budget like that of the AWS SDKs: each retry takes tokens, a success after a retry returns the tokens of the last
 * retry, and a success at the first attempt adds a few. It does not refill with time: while nothing succeeds, it stays empty.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { retry, retryQuota } from '@macadam/resilience';
 *
 * await retry({ budget: retryQuota({ capacity: 100 }) }).execute(async () => 'ok');
 * ```
 */
export function retryQuota(options: RetryQuotaOptions = {}): RetryBudget {
  assertObject('retryQuota', options);
  assertKnownOptions('retryQuota', options, ['capacity', 'cost', 'throttledCost', 'successCredit']);
  const { capacity = 500, cost = 14, throttledCost = 5, successCredit = 1 } = options;
  assertNumber('retryQuota.capacity', capacity, { above: 0 });
  assertNumber('retryQuota.cost', cost, { above: 0 });
  assertNumber('retryQuota.throttledCost', throttledCost, { above: 0 });
  assertNumber('retryQuota.successCredit', successCredit, { min: 0 });
  let balance = capacity;
  let granted = 0;
  let refused = 0;
  return {
    callStarted() {},
    callEnded() {},
    callSucceeded(retries, throttled) {
      const credit = retries === 0 ? successCredit : throttled ? throttledCost : cost;
      balance = Math.min(capacity, balance + credit);
    },
    attemptFailed() {},
    tryRetry(throttled) {
      const price = throttled ? throttledCost : cost;
      if (balance < price) {
        refused++;
        return false;
      }
      balance -= price;
      granted++;
      return true;
    },
    retryEnded() {},
    describe: () =>
      `retry quota: ${capacity} tokens, ${cost} a retry (${throttledCost} when throttled), ${successCredit} earned a success`,
    stats: (): PolicyStats => ({ balance, granted, refused }),
  };
}
