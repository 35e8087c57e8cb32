import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  isMacadamError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import { isAbort } from '../circuit-breaker/classify.ts';
import type { GaveUpReason } from '../errors.ts';
import type { Outcome } from '../policy.ts';
import { fullJitter, type Backoff } from './backoff.ts';
import { guardedBudget, type GuardedBudget } from './guarded-budget.ts';
import { retryBudget, unlimitedRetries, type RetryBudget } from './retry-budget.ts';

/** Options of {@link retry}. */
export interface RetryOptions {
  /** Maximum number of attempts, including the first one; at least 1, `Infinity` allowed. Default: 3 (AWS SDKs). */
  maxAttempts?: number;
  /** The wait before each retry. Default: `fullJitter()`, up to 50 ms before the first retry, doubled each time, at most 20 s. */
  backoff?: Backoff;
  /** Minimum base delay after a throttled outcome, in milliseconds, at least 0. Default: 1 000 (AWS SDKs). */
  throttledBaseMs?: number;
  /**
   * Maximum wait that the dependency may ask for, in milliseconds, at least 0; `Infinity` for no limit. If it asks for more, or for
   * more than the time left, the call ends at once with `AttemptsExhaustedError` (`retryAfterTooLong`). Default: 60 000.
   */
  maxRetryAfterMs?: number;
  /**
   * Whether an outcome is retried. Default: errors are, except those of Macadam that are not `retryable`, and aborts.
   */
  retryIf?: (outcome: Outcome) => boolean;
  /**
   * Whether an attempt never reached the dependency, as on a stale connection. Such an attempt is repeated at once, at most once
   * per call, and counts neither as an attempt nor against the budget. Default: never. Source: transparent retries of gRPC
   * (proposal A6).
   */
  transparentIf?: (outcome: Outcome) => boolean;
  /** Whether the outcome is throttling. Default: an error with a `retryAfterMs`, or with the code `MAC_RATE_LIMITED`. */
  isThrottled?: (outcome: Outcome) => boolean;
  /** How long the dependency asks to wait, in milliseconds; undefined if it does not. Default: `retryAfterMs` of the error. */
  retryAfterMs?: (outcome: Outcome) => number | undefined;
  /** Limits retries to a share of all calls; `false` for no limit. Share one between the policies of a dependency. Default: `retryBudget()`. */
  budget?: RetryBudget | false;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
  /** The source of randomness, for jitter. Default: `systemRandom`. */
  random?: Random;
}

export type RetrySettings = Required<Omit<RetryOptions, 'budget'>> & { readonly budget: GuardedBudget };

/** What a retry has done. */
export interface RetryCounts {
  calls: number;
  retries: number;
  /** Transparent retries, which cost no budget, since the dependency never received the attempt. */
  transparent: number;
  gaveUp: Record<GaveUpReason, number>;
}

const RETRY_OPTIONS = [
  'maxAttempts',
  'backoff',
  'throttledBaseMs',
  'maxRetryAfterMs',
  'retryIf',
  'transparentIf',
  'isThrottled',
  'retryAfterMs',
  'budget',
  'clock',
  'random',
] as const;

export function retrySettings(options: RetryOptions): RetrySettings {
  assertObject('retry', options);
  assertKnownOptions('retry', options, RETRY_OPTIONS);
  const { clock = systemClock, random = systemRandom } = options;
  assertClock('retry.clock', clock);
  assertFunction('retry.random', random);
  const { budget = retryBudget({ clock }) } = options;
  const settings: RetrySettings = {
    maxAttempts: options.maxAttempts ?? 3,
    backoff: options.backoff ?? fullJitter(),
    throttledBaseMs: options.throttledBaseMs ?? 1_000,
    maxRetryAfterMs: options.maxRetryAfterMs ?? 60_000,
    retryIf: options.retryIf ?? isRetryable,
    transparentIf: options.transparentIf ?? never,
    isThrottled: options.isThrottled ?? isThrottled,
    retryAfterMs: options.retryAfterMs ?? retryAfterOf,
    budget: guardedBudget('retry.budget', budget === false ? unlimitedRetries : budget, 'a retryBudget() or false'),
    clock,
    random,
  };
  assertInteger('retry.maxAttempts', settings.maxAttempts, { min: 1, infinite: true });
  assertFunction('retry.backoff', settings.backoff);
  assertDurationMs('retry.throttledBaseMs', settings.throttledBaseMs, { min: 0 });
  assertDurationMs('retry.maxRetryAfterMs', settings.maxRetryAfterMs, { min: 0, infinite: true });
  assertFunction('retry.retryIf', settings.retryIf);
  assertFunction('retry.transparentIf', settings.transparentIf);
  assertFunction('retry.isThrottled', settings.isThrottled);
  assertFunction('retry.retryAfterMs', settings.retryAfterMs);
  return settings;
}

function never(): boolean {
  return false;
}

function isRetryable(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (isMacadamError(error)) return error.retryable;
  return !isAbort(error);
}

function isThrottled(outcome: Outcome): boolean {
  return !outcome.ok && (isMacadamError(outcome.error, 'MAC_RATE_LIMITED') || retryAfterOf(outcome) !== undefined);
}

/** Returns the `retryAfterMs` of the error, if it has a valid one that can be read. */
export function retryAfterOf(outcome: Outcome): number | undefined {
  if (outcome.ok || typeof outcome.error !== 'object' || outcome.error === null) return undefined;
  let retryAfterMs: unknown;
  try {
    ({ retryAfterMs } = outcome.error as { retryAfterMs?: unknown });
  } catch {
    return undefined;
  }
  return typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined;
}
