/**
 * The health of a region, as a pure state machine: state, outcome and time in; next state out. A region goes down after many
 * failures, and comes back only after a delay and several good probes in a row, so that a region on the edge does not flap.
 */

/** After this time without a call, earlier outcomes are forgotten. */
const SILENCE_MS = 10_000;
const MIN_CALLS = 10;
/** The failure ratio is a moving average over about this many calls, so that a long good time does not hide an outage. */
const AVERAGED_CALLS = 50;
/** The failure ratio at which a region goes down. */
const DOWN_FAILURE_RATIO = 0.5;
/** The delay before a region that is down is probed, and after each failed probe. */
const PROBE_DELAY_MS = 30_000;
/**
 * The delay for calls that must not be repeated. It is longer so that repeatable calls probe first, and finite so that the
 * region also comes back when there are none.
 */
const UNREPEATABLE_PROBE_DELAY_MS = 60_000;
/** The share of calls that probe the region after the delay. */
export const PROBE_SHARE = 0.05;
/** The good probes in a row after which the region is up again. */
const GOOD_PROBES = 5;

export type RegionHealth =
  | { readonly kind: 'down'; readonly since: number; readonly goodProbes: number }
  | { readonly kind: 'up'; readonly lastCallAt: number; readonly calls: number; readonly failureRatio: number };

export function healthyRegion(now: number): Extract<RegionHealth, { kind: 'up' }> {
  return { kind: 'up', lastCallAt: now, calls: 0, failureRatio: 0 };
}

/** The health after an attempt in the region has ended. */
export function nextRegionHealth(health: RegionHealth, isFailure: boolean, now: number): RegionHealth {
  if (health.kind === 'down') {
    // An attempt that was sent before the region went down is no probe.
    if (!mayProbe(health, now)) return health;
    if (isFailure) return { kind: 'down', since: now, goodProbes: 0 };
    const goodProbes = health.goodProbes + 1;
    return goodProbes >= GOOD_PROBES ? healthyRegion(now) : { ...health, goodProbes };
  }
  const previous = now - health.lastCallAt >= SILENCE_MS ? healthyRegion(now) : health;
  const calls = previous.calls + 1;
  // The plain mean of the first calls, then an exponential moving average.
  const failureRatio =
    previous.failureRatio + (Number(isFailure) - previous.failureRatio) / Math.min(calls, AVERAGED_CALLS);
  if (calls >= MIN_CALLS && failureRatio >= DOWN_FAILURE_RATIO) return { kind: 'down', since: now, goodProbes: 0 };
  return { kind: 'up', lastCallAt: now, calls, failureRatio };
}

/** Whether a call may probe a region that is down. */
export function mayProbe(health: RegionHealth, now: number, isRepeatable = true): boolean {
  return health.kind === 'down' && now - health.since >= (isRepeatable ? PROBE_DELAY_MS : UNREPEATABLE_PROBE_DELAY_MS);
}
