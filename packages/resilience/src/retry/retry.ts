import { timerlessClock } from '@macadam/core';
import { definePolicy } from '../define-policy.ts';
import type { Policy } from '../policy.ts';
import { standingCall } from '../standing-call.ts';
import { retrySettings, type RetryCounts, type RetryOptions, type RetrySettings } from './options.ts';
import { RetryStage } from './retry-run.ts';

/**
 * Tries again what failed for a passing reason: after a fully jittered wait, never earlier than the dependency asked
 * for, never beyond the deadline, and never more than the budget allows.
 *
 * A failure that is not to be retried passes through untouched. When it gives up on one that is, it throws
 * {@link AttemptsExhaustedError} with the last failure as `cause` and every try in `attempts`; a *value* that
 * `retryIf` did not want is returned as it is. Inside a function that an outer retry repeats, it tries once.
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
  const judgesValues = options.retryIf !== undefined;
  return definePolicy(
    'retry',
    {
      clock: settings.clock,
      defers: true,
      repeats: settings.maxAttempts > 1,
      around: (inner) => new RetryStage(settings, counts, inner, judgesValues),
    },
    {
      describe: () => describe(settings),
      stats: () => ({ ...counts, gaveUp: { ...counts.gaveUp }, budget: settings.budget.stats() }),
    },
  );
}

function describe({ maxAttempts, backoff, maxRetryAfterMs, budget }: RetrySettings): string {
  if (maxAttempts === 1) return 'retry: none, 1 attempt';
  const wait = backoff.describe?.() ?? 'as its function says';
  return `retry: ${maxAttempts} attempts; waits ${wait}; honours Retry-After up to ${maxRetryAfterMs} ms; ${budget.describe()}`;
}

standingCall(retry({ clock: timerlessClock }));
