import { OptionsError } from '@macadam/core';
import type { GaveUpReason } from '../errors.ts';
import type { Outcome } from '../policy.ts';
import type { RetrySettings } from './options.ts';

/** What to do after a retryable outcome. */
export type Decision =
  | { readonly next: 'wait'; readonly delayMs: number; readonly throttled: boolean; readonly retryAfterMs?: number }
  | { readonly next: 'giveUp'; readonly reason: GaveUpReason; readonly retryAfterMs?: number };

/** How far the call has come. */
export interface CallProgress {
  /** The attempt that has just ended, counted from 1. */
  readonly attempt: number;
  /** The wait before it, in milliseconds. */
  readonly waitedMs: number;
  /** The time left for the whole call, in milliseconds. */
  readonly leftMs: number;
  /** What is left of the longest `Retry-After` of endpoints that earlier attempts went to, in milliseconds; else 0. */
  readonly pendingRetryAfterMs: number;
  /** Whether the next attempt goes to another endpoint, to which no `Retry-After` applies. */
  readonly movesOn: boolean;
}

/**
 * Decides everything but the budget, which is asked last, since asking spends from it. `Retry-After` is a lower bound of
 * the wait and never shortened: if it is longer than allowed, the call gives up at once, with that reason.
 */
export function decide(settings: RetrySettings, outcome: Outcome, progress: CallProgress): Decision {
  const { attempt, waitedMs, leftMs, pendingRetryAfterMs, movesOn } = progress;
  const requestedMs = settings.retryAfterMs(outcome);
  // Ignores NaN, which a callback may return for an invalid header.
  const validMs = requestedMs !== undefined && requestedMs >= 0 ? requestedMs : undefined;
  const retryAfterMs = pendingRetryAfterMs > (validMs ?? 0) ? pendingRetryAfterMs : validMs;
  const known = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (attempt >= settings.maxAttempts) return { next: 'giveUp', reason: 'maxAttempts', ...known };
  const minDelayMs = movesOn ? 0 : (retryAfterMs ?? 0);
  if (minDelayMs > Math.min(settings.maxRetryAfterMs, Math.max(0, leftMs))) {
    return { next: 'giveUp', reason: 'retryAfterTooLong', ...known };
  }
  const throttled = settings.isThrottled(outcome);
  const minBaseMs = throttled && !movesOn ? settings.throttledBaseMs : 0;
  const backoffMs = settings.backoff({ retry: attempt, previousMs: waitedMs, random: settings.random, minBaseMs });
  if (!(backoffMs >= 0)) throw new OptionsError('retry.backoff()', backoffMs, 'a number of milliseconds of at least 0');
  const delayMs = Math.max(backoffMs, minDelayMs);
  if (delayMs >= leftMs) return { next: 'giveUp', reason: 'deadline', ...known };
  return { next: 'wait', delayMs, throttled, ...known };
}
