/**
 * Whether calls go to a region, pure: state, outcome and time in; next state out. It takes a bad stretch to leave, and a
 * wait and several good probes in a row to come back, so that a region on the edge does not swing.
 */

const WINDOW_MS = 10_000;
const MINIMUM_CALLS = 10;
/** Leaves when this share of the calls of a window has failed. */
const LEAVE_RATIO = 0.5;
/** Nothing is sent there for so long, and again after each probe that failed. */
const HOLD_MS = 30_000;
/** After that, this share of the calls probes it. */
export const PROBE_SHARE = 0.05;
/** Comes back after so many good probes in a row. */
const GOOD_PROBES = 5;

export type RegionHealth =
  | { readonly kind: 'down'; readonly since: number; readonly goodProbes: number }
  | { readonly kind: 'up'; readonly since: number; readonly calls: number; readonly failures: number };

export function regionUp(now: number): RegionHealth {
  return { kind: 'up', since: now, calls: 0, failures: 0 };
}

/** The health after a call that was sent there. */
export function regionAfter(health: RegionHealth, failed: boolean, now: number): RegionHealth {
  if (health.kind === 'down') {
    // What was sent before it went down says nothing new.
    if (!probesRegion(health, now)) return health;
    if (failed) return { kind: 'down', since: now, goodProbes: 0 };
    const goodProbes = health.goodProbes + 1;
    return goodProbes >= GOOD_PROBES ? regionUp(now) : { ...health, goodProbes };
  }
  const fresh = now - health.since >= WINDOW_MS;
  const calls = (fresh ? 0 : health.calls) + 1;
  const failures = (fresh ? 0 : health.failures) + (failed ? 1 : 0);
  if (calls >= MINIMUM_CALLS && failures / calls >= LEAVE_RATIO) return { kind: 'down', since: now, goodProbes: 0 };
  return { kind: 'up', since: fresh ? now : health.since, calls, failures };
}

/** Whether a region that is down may be probed. */
export function probesRegion(health: RegionHealth, now: number): boolean {
  return health.kind === 'down' && now - health.since >= HOLD_MS;
}
