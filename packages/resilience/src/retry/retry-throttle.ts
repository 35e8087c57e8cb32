import { assertInteger, assertKnownOptions, assertNumber, assertObject } from '@macadam/core';
import type { PolicyStats } from '../policy.ts';
import type { RetryBudget } from './retry-budget.ts';

/** Options of {@link retryThrottle}. */
export interface RetryThrottleOptions {
  /** Maximum and initial number of tokens, 1 to 1 000. Default: 10. */
  maxTokens?: number;
  /** Tokens gained by a success, at least 0.001, with three decimals. Default: 0.1. */
  tokenRatio?: number;
}

/** Counts in thousandths of a token: the specification has three decimals, and integers add up exactly. */
const SCALE = 1_000;

/**
 * Makes a retry budget like the retry throttling of gRPC (proposal A6): a failure takes one token, a success adds `tokenRatio`, and
 * retries are allowed only while more than half of the tokens are left. Retries themselves cost nothing.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { retry, retryThrottle } from '@macadam/resilience';
 *
 * await retry({ budget: retryThrottle({ maxTokens: 10, tokenRatio: 0.1 }) }).execute(async () => 'ok');
 * ```
 */
export function retryThrottle(options: RetryThrottleOptions = {}): RetryBudget {
  assertObject('retryThrottle', options);
  assertKnownOptions('retryThrottle', options, ['maxTokens', 'tokenRatio']);
  const { maxTokens = 10, tokenRatio = 0.1 } = options;
  assertInteger('retryThrottle.maxTokens', maxTokens, { min: 1, max: 1_000 });
  assertNumber('retryThrottle.tokenRatio', tokenRatio, { min: 0.001 });
  const max = maxTokens * SCALE;
  const credit = Math.floor(tokenRatio * SCALE);
  let tokens = max;
  let granted = 0;
  let refused = 0;
  return {
    callStarted() {},
    callEnded() {},
    callSucceeded() {
      tokens = Math.min(max, tokens + credit);
    },
    attemptFailed() {
      tokens = Math.max(0, tokens - SCALE);
    },
    tryRetry() {
      const allowed = tokens > max / 2;
      if (allowed) granted++;
      else refused++;
      return allowed;
    },
    retryEnded() {},
    describe: () =>
      `retry throttle: ${maxTokens} tokens, one lost a failure, ${tokenRatio} earned a success, retries above half`,
    stats: (): PolicyStats => ({ balance: tokens / SCALE, granted, refused }),
  };
}
