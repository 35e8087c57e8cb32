/**
 * Controlled delay: tells a queue that lasts from one that only buffers a burst. Over each interval the shortest wait is
 * kept; when even that was above the target, the queue never emptied, and for the next interval what has waited twice the
 * target is not worth serving. After folly's Codel, which took the rule from Nichols and Jacobson, "Controlling Queue
 * Delay" (ACM Queue, 2012).
 */
export interface CodelState {
  /** The shortest wait of the present interval, in milliseconds. */
  readonly shortestMs: number;
  readonly intervalEndsAt: number;
  /** The next wait begins a new interval's minimum. */
  readonly fresh: boolean;
  readonly overloaded: boolean;
}

export interface CodelNumbers {
  /** A wait that is acceptable while there is no overload, in milliseconds. */
  readonly targetMs: number;
  /** How long waits have to be above it, in milliseconds. */
  readonly intervalMs: number;
}

export const CODEL_START: CodelState = { shortestMs: 0, intervalEndsAt: -Infinity, fresh: true, overloaded: false };

/** Takes one wait into account: whether to drop who waited so long, and the next state. */
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
    // The first of an interval is let through: it measures.
    return { drop: false, next: { shortestMs: waitedMs, intervalEndsAt, fresh: false, overloaded } };
  }
  if (waitedMs < shortestMs) shortestMs = waitedMs;
  return {
    drop: overloaded && waitedMs > 2 * targetMs,
    next: { shortestMs, intervalEndsAt, fresh, overloaded },
  };
}
