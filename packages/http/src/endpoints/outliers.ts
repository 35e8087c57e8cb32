/**
 * The rules of outlier ejection, as pure functions: which endpoints fail far more often than the others, how many may be
 * ejected, and for how long.
 *
 * Sources: Envoy's outlier detection (consecutive 5xx) and gRPC A50 (success rate, failure percentage), with their
 * numbers.
 */

/** This many failures in a row eject an endpoint at once. */
export const CONSECUTIVE_FAILURES = 5;
/** How often the rates of the endpoints are compared. */
export const INTERVAL_MS = 10_000;
const EJECTION_MS = 30_000;
const MAX_EJECTION_MS = 300_000;
const MAX_EJECTED_RATIO = 0.1;
const MIN_HOSTS = 5;
const SUCCESS_RATE_CALLS = 100;
const SUCCESS_RATE_DEVIATIONS = 1.9;
const FAILURE_CALLS = 50;
const FAILURE_RATIO = 0.85;

/**
 * Why an endpoint was ejected: it failed several times in a row, succeeded far less often than the others, or failed nearly
 * always.
 */
export type EjectionReason = 'consecutiveFailures' | 'failureRate' | 'successRate';

/** The attempts at one endpoint in an interval. */
export interface IntervalCounts {
  readonly calls: number;
  readonly failures: number;
}

/** Returns the indexes of the outliers: success rates far below the mean, or failure rates near 1. */
export function findOutliers(counts: readonly IntervalCounts[]): ReadonlyMap<number, EjectionReason> {
  const outliers = new Map<number, EjectionReason>();
  const rated = [...counts.keys()].filter((i) => (counts[i] as IntervalCounts).calls >= SUCCESS_RATE_CALLS);
  if (rated.length >= MIN_HOSTS) {
    const rates = rated.map((i) => 1 - failureRatio(counts[i] as IntervalCounts));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const minRate = mean - SUCCESS_RATE_DEVIATIONS * Math.sqrt(variance);
    for (const [at, i] of rated.entries()) if ((rates[at] as number) < minRate) outliers.set(i, 'successRate');
  }
  const judged = [...counts.keys()].filter((i) => (counts[i] as IntervalCounts).calls >= FAILURE_CALLS);
  if (judged.length >= MIN_HOSTS) {
    for (const i of judged) {
      if (failureRatio(counts[i] as IntervalCounts) > FAILURE_RATIO) outliers.set(i, 'failureRate');
    }
  }
  return outliers;
}

function failureRatio({ calls, failures }: IntervalCounts): number {
  return failures / calls;
}

/** How many of `endpoints` may be ejected at a time: a tenth, at least one, and never the only one. */
export function maxEjected(endpoints: number): number {
  return endpoints < 2 ? 0 : Math.max(1, Math.floor(endpoints * MAX_EJECTED_RATIO));
}

/**
 * The multiplier of an ejection that begins now: one more than the previous one, less one for each interval without ejection
 * since that ended.
 */
export function ejectionMultiplier(previous: number, endedAt: number, now: number): number {
  return previous === 0 ? 1 : Math.max(0, previous - Math.floor(Math.max(0, now - endedAt) / INTERVAL_MS)) + 1;
}

export function ejectionDurationMs(multiplier: number): number {
  return Math.min(EJECTION_MS * multiplier, MAX_EJECTION_MS);
}
