import { timerlessClock } from '@macadam/core';
import { definePolicy } from '../define-policy.ts';
import type { Policy } from '../policy.ts';
import { startPinnedCall } from '../pinned-call.ts';
import { retrySettings, type RetryCounts, type RetryOptions, type RetrySettings } from './options.ts';
import { RetryStage } from './retry-stage.ts';

/**
 * Retries failed attempts: after a wait with full jitter, never earlier than the dependency asks for (`retryAfterMs`), never beyond
 * the deadline, and only as often as the retry budget allows.
 *
 * A failure that is not retryable is passed on unchanged. When it gives up on a retryable one, the call rejects with
 * `AttemptsExhaustedError` (`MAC_ATTEMPTS_EXHAUSTED`), with the last failure as `cause` and all attempts in `attempts`; a *value* that
 * `retryIf` asked to retry is returned as it is. Inside a function that an outer retry repeats, it makes a single attempt.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { retry } from '@macadam/resilience';
 *
 * let calls = 0;
 * const answer = await retry({ maxAttempts: 3 }).execute(async () => {
 *   if (++calls < 3) throw new Error('not yet');
 *   return 'done';
 * });
 * if (answer !== 'done' || calls !== 3) throw new Error('it should have tried three times');
 * ```
 */
export function retry(options: RetryOptions = {}): Policy {
  const settings = retrySettings(options);
  const counts: RetryCounts = {
    calls: 0,
    retries: 0,
    transparent: 0,
    gaveUp: { budget: 0, deadline: 0, maxAttempts: 0, retryAfterTooLong: 0 },
  };
  const classifiesValues = options.retryIf !== undefined;
  return definePolicy(
    'retry',
    {
      clock: settings.clock,
      defers: true,
      repeats: true,
      ownsRetries: settings.maxAttempts > 1,
      around: (inner) => new RetryStage(settings, counts, inner, classifiesValues),
    },
    {
      describe: () => describe(settings),
      stats: () => ({ ...counts, gaveUp: { ...counts.gaveUp }, budget: settings.budget.stats() }),
    },
  );
}

function describe({ maxAttempts, backoff, maxRetryAfterMs, budget }: RetrySettings): string {
  if (maxAttempts === 1) return 'retry: none, 1 attempt';
  const wait = backoff.describe?.() ?? 'as long as its function returns';
  return `retry: ${maxAttempts} attempts; waits ${wait}; honours Retry-After up to ${maxRetryAfterMs} ms; ${budget.describe()}`;
}

startPinnedCall(retry({ clock: timerlessClock }));
