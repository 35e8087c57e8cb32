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

/** Says when a closed breaker opens. One rule may serve many breakers: each starts a meter of its own. */
export interface TripRule {
  describe(): string;
  start(): TripMeter;
  /** The stretch of time it looks at, for checks against timeouts. */
  readonly windowMs?: number;
  /**
   * Whether the duration of a success, or exactly when it came, matters. Without it a success may be told with duration 0
   * and the time its call began. Default: false.
   */
  readonly timesSuccesses?: boolean;
  /** Calls slower than this count as failed probes too. */
  readonly slowerThanMs?: number;
}

/** What one breaker has seen since it closed. What its methods throw becomes a process warning and changes nothing. */
export interface TripMeter {
  /** Takes in the outcome of one call; true means "open now". */
  record(failed: boolean, durationMs: number, now: number): boolean;
  reset(): void;
}

export interface ConsecutiveFailuresOptions {
  /** Default: 5. At least 1. */
  count?: number;
  /**
   * When above 0, the failures in a row must also be as many as the calls of so many milliseconds before them. A busy
   * service that fails one call in five sees five failures in a row every few seconds, by chance alone; it does not see
   * a second of nothing else. Default: 0.
   */
  busyWindowMs?: number;
}

/**
 * Trips when `count` calls in a row have failed. Source of the default: Finagle's failure accrual.
 */
export function consecutiveFailures(options: ConsecutiveFailuresOptions = {}): TripRule {
  assertObject('consecutiveFailures', options);
  assertKnownOptions('consecutiveFailures', options, ['count', 'busyWindowMs']);
  const { count = 5, busyWindowMs = 0 } = options;
  assertInteger('consecutiveFailures.count', count, { min: 1 });
  assertDurationMs('consecutiveFailures.busyWindowMs', busyWindowMs, { min: 0 });
  return busyWindowMs > 0 ? new BusyRunRule(count, busyWindowMs) : new RunRule(count);
}

export interface RateWindowOptions {
  /** Looks at the calls of the last so many milliseconds. Default: 30 000, unless `windowCalls` is given. */
  windowMs?: number;
  /** Looks at the last so many calls instead. */
  windowCalls?: number;
  /** Does not trip on fewer calls than this. Default: 20, or `windowCalls` when that is less. At least 1. */
  minimumCalls?: number;
}

export interface FailureRateOptions extends RateWindowOptions {
  /** The share of failures that trips, above 0, at most 1. Default: 0.5. */
  ratio?: number;
}

export interface SlowCallRateOptions extends RateWindowOptions {
  /** The share of slow calls that trips, above 0, at most 1. Default: 0.5. */
  ratio?: number;
  /** Calls that take longer than this are slow, in milliseconds. */
  slowerThanMs: number;
}

/**
 * Trips when at least `ratio` of the calls in the window have failed, given enough calls. Source of the defaults:
 * resilience4j (50 %), Polly (30 s in ten buckets); the minimum is lower than theirs so that small services are guarded.
 */
export function failureRate(options: FailureRateOptions = {}): TripRule {
  assertObject('failureRate', options);
  assertKnownOptions('failureRate', options, ['ratio', 'windowMs', 'windowCalls', 'minimumCalls']);
  const { ratio = 0.5 } = options;
  return rateRule('failureRate', ratio, options, `${percent(ratio)} failures`);
}

/** Trips when at least `ratio` of the calls in the window were slow, whether or not they succeeded. */
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

/** @param slowerThanMs - what counts: calls that take longer; failures without it */
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
  // As published: over time (Polly) only a call that counts against the dependency can open the circuit; over calls
  // (resilience4j) the rate is looked at after each, so that the one which fills the window may be a success, and the
  // open time begins then.
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
