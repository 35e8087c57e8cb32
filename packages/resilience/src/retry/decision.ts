import { OptionsError } from '@macadam/core';
import type { GaveUpReason } from '../errors.ts';
import type { Outcome } from '../policy.ts';
import type { RetrySettings } from './options.ts';

/** What to do after an outcome that should be tried again. */
export type Decision =
  | { readonly next: 'wait'; readonly delayMs: number; readonly throttled: boolean; readonly retryAfterMs?: number }
  | { readonly next: 'giveUp'; readonly reason: GaveUpReason; readonly retryAfterMs?: number };

/** Where the call stands. */
export interface Standing {
  /** The attempt that has just ended, counted from 1. */
  readonly attempt: number;
  /** The wait before it, in milliseconds. */
  readonly waitedMs: number;
  /** The time left for the whole call, in milliseconds. */
  readonly leftMs: number;
  /** How long what was tried before this attempt still asks to be left alone, in milliseconds; 0 when nothing does. */
  readonly askedMs: number;
  /** Whether the next attempt goes to another place, which has asked for nothing. */
  readonly movesOn: boolean;
}

/**
 * The rule, without the budget, which is asked last because asking spends. A wait asked for by the dependency is a
 * floor and never cut short: when it is too long for the caller, the call ends now and says so.
 */
export function decide(settings: RetrySettings, outcome: Outcome, standing: Standing): Decision {
  const { attempt, waitedMs, leftMs, askedMs, movesOn } = standing;
  const asksMs = settings.retryAfterMs(outcome);
  // NaN, made of a header that is no number, would be no wait at all.
  const own = asksMs !== undefined && asksMs >= 0 ? asksMs : undefined;
  const retryAfterMs = askedMs > (own ?? 0) ? askedMs : own;
  const asked = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (attempt >= settings.maxAttempts) return { next: 'giveUp', reason: 'maxAttempts', ...asked };
  const leastMs = movesOn ? 0 : (retryAfterMs ?? 0);
  if (leastMs > Math.min(settings.maxRetryAfterMs, Math.max(0, leftMs))) {
    return { next: 'giveUp', reason: 'retryAfterTooLong', ...asked };
  }
  const throttled = settings.isThrottled(outcome);
  const minBaseMs = throttled && !movesOn ? settings.throttledBaseMs : 0;
  const backoffMs = settings.backoff({ retry: attempt, previousMs: waitedMs, random: settings.random, minBaseMs });
  if (!(backoffMs >= 0)) throw new OptionsError('retry.backoff()', backoffMs, 'a number of milliseconds of at least 0');
  const delayMs = Math.max(backoffMs, leastMs);
  if (delayMs >= leftMs) return { next: 'giveUp', reason: 'deadline', ...asked };
  return { next: 'wait', delayMs, throttled, ...asked };
}
