import { assertDurationMs, assertInteger, assertKnownOptions, assertNumber, OptionsError } from '@macadam/core';
import { CountWindow, TimeWindow, type RateWindow } from './rate-window.ts';

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

/** What one breaker has seen since it closed. */
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
  assertKnownOptions('consecutiveFailures', options, ['count', 'busyWindowMs']);
  const { count = 5, busyWindowMs = 0 } = options;
  assertInteger('consecutiveFailures.count', count, { min: 1 });
  assertDurationMs('consecutiveFailures.busyWindowMs', busyWindowMs, { min: 0 });
  const atLeast = busyWindowMs > 0 ? `, and as many as the calls of the ${busyWindowMs} ms before them` : '';
  return {
    describe: () => `${count} failures in a row${atLeast}`,
    start: () => (busyWindowMs > 0 ? busyRunMeter(count, busyWindowMs) : runMeter(count)),
  };
}

function runMeter(count: number): TripMeter {
  let failures = 0;
  return {
    record(failed) {
      failures = failed ? failures + 1 : 0;
      return failures >= count;
    },
    reset() {
      failures = 0;
    },
  };
}

function busyRunMeter(count: number, busyWindowMs: number): TripMeter {
  const window = new TimeWindow(busyWindowMs);
  let failures = 0;
  let needed = count;
  return {
    record(failed, _durationMs, now) {
      window.add(failed, now);
      if (failed && failures === 0) needed = Math.max(count, window.total - 1);
      failures = failed ? failures + 1 : 0;
      return failures >= needed;
    },
    reset() {
      failures = 0;
      window.clear();
    },
  };
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
  assertKnownOptions('failureRate', options, ['ratio', 'windowMs', 'windowCalls', 'minimumCalls']);
  const { ratio = 0.5 } = options;
  return rateRule('failureRate', ratio, options, `${percent(ratio)} failures`, (failed) => failed);
}

/** Trips when at least `ratio` of the calls in the window were slow, whether or not they succeeded. */
export function slowCallRate(options: SlowCallRateOptions): TripRule {
  assertKnownOptions('slowCallRate', options, ['ratio', 'slowerThanMs', 'windowMs', 'windowCalls', 'minimumCalls']);
  const { ratio = 0.5, slowerThanMs } = options;
  assertDurationMs('slowCallRate.slowerThanMs', slowerThanMs);
  const what = `${percent(ratio)} calls slower than ${slowerThanMs} ms`;
  const rule = rateRule('slowCallRate', ratio, options, what, (_failed, durationMs) => durationMs > slowerThanMs);
  return { ...rule, slowerThanMs, timesSuccesses: true };
}

function rateRule(
  name: string,
  ratio: number,
  options: RateWindowOptions,
  what: string,
  counts: (failed: boolean, durationMs: number) => boolean,
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
  // (resilience4j) the rate is looked at after each, so that the one which fills the window may be a success.
  const anyTrips = windowCalls !== undefined;
  const span = windowCalls === undefined ? `within ${windowMs} ms` : `among the last ${windowCalls} calls`;
  return {
    describe: () => `${what} ${span}, given ${minimumCalls} calls`,
    // A rule over calls may open at a success, and the open time begins then.
    timesSuccesses: windowCalls !== undefined,
    ...(windowCalls === undefined ? { windowMs } : {}),
    start() {
      const window: RateWindow = windowCalls === undefined ? new TimeWindow(windowMs) : new CountWindow(windowCalls);
      return {
        record(failed, durationMs, now) {
          const counted = counts(failed, durationMs);
          window.add(counted, now);
          return (counted || anyTrips) && window.total >= minimumCalls && window.counted >= ratio * window.total;
        },
        reset() {
          window.clear();
        },
      };
    },
  };
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(2))} %`;
}
