import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  isMacadamError,
  OptionsError,
  systemClock,
  type Clock,
} from '@macadam/core';
import type { Outcome } from '../policy.ts';
import { guardedBudget, type GuardedBudget } from '../retry/guarded-budget.ts';
import { unlimitedRetries, type RetryBudget } from '../retry/retry-budget.ts';

/** Options of {@link hedge}. */
export interface HedgeOptions {
  /**
   * How long an attempt may take before the next one is sent: milliseconds, above 0, or a percentile of the latencies of the last
   * 30 s, from `p50` to `p99.9`. With fewer than 100 measured calls a percentile stands for 500 ms. Default: `p95` (Finagle).
   */
  delayMs?: number | `p${number}`;
  /** Maximum number of additional attempts, 1 to 5. Default: 1 (Finagle). */
  maxHedges?: number;
  /** Maximum share of calls that are hedged, over 10 s; above 0, at most 1. Default: 0.05. */
  maxExtraLoad?: number;
  /**
   * The retry budget of the same dependency, which must allow each hedge as well. A call counts in it once, also with a retry around
   * the hedge that has the same budget. Default: none.
   */
  budget?: RetryBudget;
  /** Which failures end the call, because another attempt would fail as well. Default: errors of Macadam that are not `retryable`. */
  isFatal?: (outcome: Outcome) => boolean;
  /**
   * Which fatal failures are of attempts that were refused before they were sent. Such a failure says nothing about other attempts, so
   * that it ends the call only if no other attempt is in flight. Default: an open circuit (`MAC_CIRCUIT_OPEN`).
   */
  isUnsent?: (outcome: Outcome) => boolean;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

export interface HedgeSettings {
  /** Milliseconds, or undefined for a percentile. */
  readonly delayMs: number | undefined;
  /** The percentile as a ratio. */
  readonly percentile: number;
  readonly maxHedges: number;
  readonly maxExtraLoad: number;
  readonly budget: GuardedBudget;
  readonly isFatal: (outcome: Outcome) => boolean;
  readonly isUnsent: (outcome: Outcome) => boolean;
  readonly clock: Clock;
}

export function hedgeSettings(options: HedgeOptions): HedgeSettings {
  assertObject('hedge', options);
  assertKnownOptions('hedge', options, [
    'delayMs',
    'maxHedges',
    'maxExtraLoad',
    'budget',
    'isFatal',
    'isUnsent',
    'clock',
  ]);
  const { delayMs = 'p95', maxHedges = 1, maxExtraLoad = 0.05, budget = unlimitedRetries } = options;
  const { isFatal = isFatalError, isUnsent = isOpenCircuit, clock = systemClock } = options;
  if (typeof delayMs === 'number') assertDurationMs('hedge.delayMs', delayMs);
  assertInteger('hedge.maxHedges', maxHedges, { min: 1, max: 5 });
  assertNumber('hedge.maxExtraLoad', maxExtraLoad, { above: 0, max: 1 });
  assertFunction('hedge.isFatal', isFatal);
  assertFunction('hedge.isUnsent', isUnsent);
  assertClock('hedge.clock', clock);
  const fixed = typeof delayMs === 'number' ? delayMs : undefined;
  const percentile = typeof delayMs === 'number' ? 0 : percentileOf(delayMs);
  return {
    delayMs: fixed,
    percentile,
    maxHedges,
    maxExtraLoad,
    budget: guardedBudget('hedge.budget', budget, 'a retryBudget()'),
    isFatal,
    isUnsent,
    clock,
  };
}

function percentileOf(text: string): number {
  const percent = /^p\d{1,2}(\.\d+)?$/.test(text) ? Number(text.slice(1)) : NaN;
  if (!(percent >= 50))
    throw new OptionsError('hedge.delayMs', text, 'milliseconds, or a percentile from "p50" to "p99.9"');
  return percent / 100;
}

function isFatalError(outcome: Outcome): boolean {
  return !outcome.ok && isMacadamError(outcome.error) && !outcome.error.retryable;
}

function isOpenCircuit(outcome: Outcome): boolean {
  return !outcome.ok && isMacadamError(outcome.error, 'MAC_CIRCUIT_OPEN');
}
