/**
 * Which endpoints stand out among their peers, and for how long they are left alone: pure.
 *
 * Sources: Envoy's outlier detection (consecutive 5xx) and gRPC A50 (success rate, failure percentage), with their
 * numbers.
 */

/** So many failures in a row eject at once. */
export const CONSECUTIVE_FAILURES = 5;
/** How often rates are compared. */
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

/** What one endpoint did in an interval. */
export interface IntervalCounts {
  readonly calls: number;
  readonly failures: number;
}

/** The indexes of those whose success rate is far below that of the others, or who fail nearly always, and which of both. */
export function outliersOf(counts: readonly IntervalCounts[]): ReadonlyMap<number, EjectionReason> {
  const found = new Map<number, EjectionReason>();
  const rated = [...counts.keys()].filter((i) => (counts[i] as IntervalCounts).calls >= SUCCESS_RATE_CALLS);
  if (rated.length >= MIN_HOSTS) {
    const rates = rated.map((i) => 1 - failureRatio(counts[i] as IntervalCounts));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const least = mean - SUCCESS_RATE_DEVIATIONS * Math.sqrt(variance);
    for (const [at, i] of rated.entries()) if ((rates[at] as number) < least) found.set(i, 'successRate');
  }
  const judged = [...counts.keys()].filter((i) => (counts[i] as IntervalCounts).calls >= FAILURE_CALLS);
  if (judged.length >= MIN_HOSTS) {
    for (const i of judged) if (failureRatio(counts[i] as IntervalCounts) > FAILURE_RATIO) found.set(i, 'failureRate');
  }
  return found;
}

function failureRatio({ calls, failures }: IntervalCounts): number {
  return failures / calls;
}

/** How many of `endpoints` may be ejected at a time: a tenth, but one at least; never the only one. */
export function mostEjected(endpoints: number): number {
  return endpoints < 2 ? 0 : Math.max(1, Math.floor(endpoints * MAX_EJECTED_RATIO));
}

/** How often an endpoint counts as ejected when it is ejected now: each quiet interval since the last forgives one. */
export function timesEjected(before: number, endedAt: number, now: number): number {
  return before === 0 ? 1 : Math.max(0, before - Math.floor(Math.max(0, now - endedAt) / INTERVAL_MS)) + 1;
}

export function ejectionMs(times: number): number {
  return Math.min(EJECTION_MS * times, MAX_EJECTION_MS);
}
