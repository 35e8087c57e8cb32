/**
 * Controlled delay (CoDel): distinguishes a standing queue from one that only absorbs a burst. It tracks the shortest wait
 * in each interval. If even that was above the target, the queue never drained: in the next interval, runs that waited
 * more than twice the target are dropped. After folly's Codel, which is based on Nichols and Jacobson, "Controlling Queue
 * Delay" (ACM Queue, 2012).
 */
export interface CodelState {
  /** The shortest wait in the current interval, in milliseconds. */
  readonly shortestMs: number;
  readonly intervalEndsAt: number;
  /** No wait was recorded in the current interval yet. */
  readonly fresh: boolean;
  readonly overloaded: boolean;
}

export interface CodelNumbers {
  /** The acceptable wait, in milliseconds. */
  readonly targetMs: number;
  /** How long waits have to exceed it before there is overload, in milliseconds. */
  readonly intervalMs: number;
}

export const CODEL_START: CodelState = { shortestMs: 0, intervalEndsAt: -Infinity, fresh: true, overloaded: false };

/** Records one wait. Returns whether to drop the run that waited, and the next state. */
export function codel(
  state: CodelState,
  now: number,
  waitedMs: number,
  { targetMs, intervalMs }: CodelNumbers,
): { readonly drop: boolean; readonly next: CodelState } {
  let { shortestMs, intervalEndsAt, fresh, overloaded } = state;
  if (now > intervalEndsAt && !fresh) {
    overloaded = shortestMs > targetMs;
    intervalEndsAt = now + intervalMs;
    fresh = true;
  }
  if (fresh) {
    // The first run of an interval is never dropped: it starts the new minimum.
    return { drop: false, next: { shortestMs: waitedMs, intervalEndsAt, fresh: false, overloaded } };
  }
  if (waitedMs < shortestMs) shortestMs = waitedMs;
  return {
    drop: overloaded && waitedMs > 2 * targetMs,
    next: { shortestMs, intervalEndsAt, fresh, overloaded },
  };
}
