import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  OptionsError,
} from '@macadam/core';
import { BusyRunRule, RunRule, TimedRateRule } from './counting-rule.ts';
import { CountWindow } from './rate-window.ts';

/** Decides when a closed circuit opens. One rule can be used by many breakers; each starts a meter of its own. */
export interface TripRule {
  /** Describes the rule in words. */
  describe(): string;
  /** Creates the meter of one breaker. */
  start(): TripMeter;
  /** The time window of the rule in milliseconds, checked against attempt timeouts. Default: none. */
  readonly windowMs?: number;
  /**
   * Whether the rule needs the duration and exact time of successes. Otherwise a success may be recorded with a duration of 0 and the
   * start time of its call, which is cheaper. Default: false.
   */
  readonly timesSuccesses?: boolean;
  /** Probes that take longer than this, in milliseconds, count as failed as well. Default: none. */
  readonly slowerThanMs?: number;
}

/** Measures the calls of one breaker since its circuit closed. Errors thrown by its methods are emitted as process warnings. */
export interface TripMeter {
  /** Records the outcome of one call; `now` is the monotonic time in milliseconds. Returns true to open the circuit. */
  record(failed: boolean, durationMs: number, now: number): boolean;
  /** Forgets all recorded calls. */
  reset(): void;
}

/** Options of {@link consecutiveFailures}. */
export interface ConsecutiveFailuresOptions {
  /** Number of failures in a row that opens the circuit, at least 1. Default: 5 (Finagle). */
  count?: number;
  /**
   * If above 0, the failures in a row must also be at least as many as there were calls in this many milliseconds before the first of
   * them: with many calls per second, a few failures in a row happen by chance. Default: 0, no such condition.
   */
  busyWindowMs?: number;
}

/**
 * Opens the circuit when `count` calls in a row have failed. Source of the default: Finagle's failure accrual.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { circuitBreaker, consecutiveFailures } from '@macadam/resilience';
 *
 * const breaker = circuitBreaker({ trip: [consecutiveFailures({ count: 3 })] });
 * ```
 */
export function consecutiveFailures(options: ConsecutiveFailuresOptions = {}): TripRule {
  assertObject('consecutiveFailures', options);
  assertKnownOptions('consecutiveFailures', options, ['count', 'busyWindowMs']);
  const { count = 5, busyWindowMs = 0 } = options;
  assertInteger('consecutiveFailures.count', count, { min: 1 });
  assertDurationMs('consecutiveFailures.busyWindowMs', busyWindowMs, { min: 0 });
  return busyWindowMs > 0 ? new BusyRunRule(count, busyWindowMs) : new RunRule(count);
}

/** The window of {@link failureRate} and {@link slowCallRate}. */
export interface RateWindowOptions {
  /** Considers the calls of the last so many milliseconds, above 0. Default: 30 000 (Polly), unless `windowCalls` is given. */
  windowMs?: number;
  /** Considers the last so many calls instead, 1 to 1 000 000. Not allowed together with `windowMs`. Default: none. */
  windowCalls?: number;
  /** Minimum number of calls in the window to open the circuit, at least 1. Default: 20, or `windowCalls` if that is less. */
  minimumCalls?: number;
}

/** Options of {@link failureRate}. */
export interface FailureRateOptions extends RateWindowOptions {
  /** Share of failed calls that opens the circuit, above 0, at most 1. Default: 0.5 (resilience4j). */
  ratio?: number;
}

/** Options of {@link slowCallRate}. */
export interface SlowCallRateOptions extends RateWindowOptions {
  /** Share of slow calls that opens the circuit, above 0, at most 1. Default: 0.5. */
  ratio?: number;
  /** Calls that take longer than this are slow, in milliseconds, above 0. Required. */
  slowerThanMs: number;
}

/**
 * Opens the circuit when at least `ratio` of the calls in the window have failed, given `minimumCalls`. Source of the defaults:
 * resilience4j (50 %) and Polly (30 s); the minimum is lower than theirs, so that services with few calls are protected as well.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { circuitBreaker, failureRate } from '@macadam/resilience';
 *
 * const breaker = circuitBreaker({ trip: [failureRate({ ratio: 0.25, windowMs: 60_000 })] });
 * ```
 */
export function failureRate(options: FailureRateOptions = {}): TripRule {
  assertObject('failureRate', options);
  assertKnownOptions('failureRate', options, ['ratio', 'windowMs', 'windowCalls', 'minimumCalls']);
  const { ratio = 0.5 } = options;
  return rateRule('failureRate', ratio, options, `${percent(ratio)} failures`);
}

/**
 * Opens the circuit when at least `ratio` of the calls in the window were slow, whether or not they succeeded.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { circuitBreaker, failureRate, slowCallRate } from '@macadam/resilience';
 *
 * const breaker = circuitBreaker({ trip: [failureRate(), slowCallRate({ slowerThanMs: 500 })] });
 * ```
 */
export function slowCallRate(options: SlowCallRateOptions): TripRule {
  assertObject('slowCallRate', options);
  assertKnownOptions('slowCallRate', options, ['ratio', 'slowerThanMs', 'windowMs', 'windowCalls', 'minimumCalls']);
  const { ratio = 0.5, slowerThanMs } = options;
  assertDurationMs('slowCallRate.slowerThanMs', slowerThanMs);
  return rateRule(
    'slowCallRate',
    ratio,
    options,
    `${percent(ratio)} calls slower than ${slowerThanMs} ms`,
    slowerThanMs,
  );
}

/** @param slowerThanMs - counts calls that take longer; without it, counts failures */
function rateRule(
  name: string,
  ratio: number,
  options: RateWindowOptions,
  what: string,
  slowerThanMs?: number,
): TripRule {
  const { windowMs = 30_000, windowCalls } = options;
  if (windowCalls !== undefined && options.windowMs !== undefined) {
    throw new OptionsError(
      `${name}.windowCalls`,
      windowCalls,
      'left out when windowMs is given: a rule has one window',
    );
  }
  const { minimumCalls = Math.min(20, windowCalls ?? 20) } = options;
  assertNumber(`${name}.ratio`, ratio, { above: 0, max: 1 });
  assertDurationMs(`${name}.windowMs`, windowMs);
  if (windowCalls !== undefined) assertInteger(`${name}.windowCalls`, windowCalls, { min: 1, max: 1_000_000 });
  assertInteger(`${name}.minimumCalls`, minimumCalls, { min: 1 });
  if (windowCalls !== undefined && minimumCalls > windowCalls) {
    throw new OptionsError(
      `${name}.minimumCalls`,
      minimumCalls,
      `at most windowCalls (${windowCalls}), or it never trips`,
    );
  }
  // As in the originals: in a window of time (Polly) only a counted call can open the circuit; in a window of calls
  // (resilience4j) the rate is checked after each call, so that a success can open it when it completes the window.
  if (windowCalls === undefined) {
    const description = `${what} within ${windowMs} ms, given ${minimumCalls} calls`;
    return new TimedRateRule({ ratio, minimumCalls, windowMs, description, slowerThanMs });
  }
  return {
    describe: () => `${what} among the last ${windowCalls} calls, given ${minimumCalls} calls`,
    timesSuccesses: true,
    ...(slowerThanMs !== undefined && { slowerThanMs }),
    start: () => rateOfLast(windowCalls, ratio, minimumCalls, slowerThanMs),
  };
}

function rateOfLast(calls: number, ratio: number, minimumCalls: number, slowerThanMs: number | undefined): TripMeter {
  const window = new CountWindow(calls);
  return {
    record(failed, durationMs) {
      window.add(slowerThanMs === undefined ? failed : durationMs > slowerThanMs);
      return window.total >= minimumCalls && window.counted >= ratio * window.total;
    },
    reset: () => window.clear(),
  };
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(2))} %`;
}
