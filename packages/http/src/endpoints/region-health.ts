/**
 * Whether calls go to a region, pure: state, outcome and time in; next state out. It takes a bad stretch to leave, and a
 * wait and several good probes in a row to come back, so that a region on the edge does not swing.
 */

/** What was before so long a silence says nothing any more. */
const SILENCE_MS = 10_000;
const MINIMUM_CALLS = 10;
/** About so many calls are remembered, so that what went well for long does not hide that nothing does now. */
const REMEMBERED_CALLS = 50;
/** Leaves when this share of the remembered calls has failed. */
const LEAVE_RATIO = 0.5;
/** Nothing is sent there for so long, and again after each probe that failed. */
const HOLD_MS = 30_000;
/**
 * Calls that must not be sent twice are held back for so long: others probe before them, if there are any, and where there
 * are none the region would never come back.
 */
const HOLD_ONCE_MS = 60_000;
/** After that, this share of the calls probes it. */
export const PROBE_SHARE = 0.05;
/** Comes back after so many good probes in a row. */
const GOOD_PROBES = 5;

export type RegionHealth =
  | { readonly kind: 'down'; readonly since: number; readonly goodProbes: number }
  | { readonly kind: 'up'; readonly lastAt: number; readonly calls: number; readonly failureRatio: number };

export function regionUp(now: number): Extract<RegionHealth, { kind: 'up' }> {
  return { kind: 'up', lastAt: now, calls: 0, failureRatio: 0 };
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
  const before = now - health.lastAt >= SILENCE_MS ? regionUp(now) : health;
  const calls = before.calls + 1;
  // The plain mean of the first calls; from then on the newer ones count for more.
  const failureRatio = before.failureRatio + (Number(failed) - before.failureRatio) / Math.min(calls, REMEMBERED_CALLS);
  if (calls >= MINIMUM_CALLS && failureRatio >= LEAVE_RATIO) return { kind: 'down', since: now, goodProbes: 0 };
  return { kind: 'up', lastAt: now, calls, failureRatio };
}

/** Whether a region that is down may be probed, with a call that may be sent twice or must not be. */
export function probesRegion(health: RegionHealth, now: number, repeatable = true): boolean {
  return health.kind === 'down' && now - health.since >= (repeatable ? HOLD_MS : HOLD_ONCE_MS);
}
