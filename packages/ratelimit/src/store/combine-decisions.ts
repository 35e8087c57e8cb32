/** Makes a `Decision` out of the `LimitDecision`s of one or several limits. Shared by the tables of all stores. */
import { fillDecision, type Limit } from '../algorithms/limit.ts';
import type { Decision, DecisionSource, LimitDecision, PolicyDecision } from '../decision.ts';

/** A decision that is being filled in. */
export type DecisionDraft = { -readonly [Field in keyof Decision]: Decision[Field] };

/** Creates every decision: one place sets the fields, so that all decisions have the same hidden class in V8. */
export function draftDecision({ name, periodMs }: Limit, source: DecisionSource, stamp: number): DecisionDraft {
  return {
    allowed: false,
    limit: 0,
    remaining: 0,
    retryAfterMs: 0,
    resetAfterMs: 0,
    policy: name,
    periodMs,
    source,
    degraded: false,
    granted: 0,
    stamp,
  };
}

export function decisionUnder(
  limit: Limit,
  { allowed, limit: max, remaining, retryAfterMs, resetAfterMs }: LimitDecision,
  source: DecisionSource,
  granted: number,
  stamp: number,
): Decision {
  const decision = draftDecision(limit, source, stamp);
  fillDecision(decision, allowed, max, remaining, retryAfterMs, resetAfterMs);
  decision.granted = granted;
  return decision;
}

/** Whether limit `i` only watches: it must not deny. `watching` has bit i for limit i. */
export function onlyWatches(watching: number, i: number): boolean {
  return (watching & (1 << i)) !== 0;
}

/** Turns a denial that does not count into a grant. `granted` is what the limits that do count were charged. */
export function shadowedDecision(decision: Decision, granted: number): Decision {
  return { ...decision, allowed: true, granted, wouldAllow: false };
}

/** Whether all limits only watch. */
export function allOnlyWatch(watching: number, limitCount: number): boolean {
  return watching === (1 << limitCount) - 1;
}

/**
 * Makes one decision out of those of all limits, in the order of the limits. A denial names the limit with the longest
 * wait, so that a retry after it is not denied by another limit; a grant names the limit with the least left, or the
 * limit that only watches and would have denied it.
 */
export function combineDecisions(
  limits: readonly Limit[],
  decisions: readonly LimitDecision[],
  source: DecisionSource,
  granted: number,
  stamp: number,
  watching = 0,
): Decision {
  return limits.length === 1
    ? decisionUnder(limits[0] as Limit, decisions[0] as LimitDecision, source, granted, stamp)
    : combineSeveral(limits, decisions, source, granted, stamp, watching);
}

/** How long a key is still blocked, in whole milliseconds. */
export function blockedMs(blockedUntil: number, now: number): number {
  return blockedUntil > now ? Math.ceil(blockedUntil - now) : 0;
}

/**
 * Returns the denial of every limit for a key that is blocked for another `waitMs`: a request cannot be allowed before the
 * limits allow it at the end of the block. `lookThen` returns what they decide then.
 */
export function blockedDecisions(
  lookThen: (cost: number) => readonly LimitDecision[],
  cost: number,
  waitMs: number,
  watching: number,
): LimitDecision[] {
  const unused = lookThen(0);
  return lookThen(cost).map(({ limit, retryAfterMs }, i) => ({
    allowed: false,
    limit,
    remaining: 0,
    retryAfterMs: waitMs + (onlyWatches(watching, i) ? 0 : retryAfterMs),
    resetAfterMs: waitMs + (unused[i] as LimitDecision).resetAfterMs,
  }));
}

function combineSeveral(
  limits: readonly Limit[],
  decisions: readonly LimitDecision[],
  source: DecisionSource,
  granted: number,
  stamp: number,
  watching: number,
): Decision {
  const policies: PolicyDecision[] = decisions.map((decision, i) => {
    const { name, periodMs } = limits[i] as Limit;
    return { ...decision, policy: name, periodMs };
  });
  let chosen = 0;
  for (let i = 1; i < policies.length; i++) {
    const [a, b] = [policies[i] as PolicyDecision, policies[chosen] as PolicyDecision];
    const difference = severity(a, onlyWatches(watching, i)) - severity(b, onlyWatches(watching, chosen));
    if (difference > 0 || (difference === 0 && isMoreRestrictive(a, b))) chosen = i;
  }
  const decision = decisionUnder(limits[chosen] as Limit, decisions[chosen] as LimitDecision, source, granted, stamp);
  return { ...decision, policies };
}

/** A denial that counts outweighs one of a limit that only watches, whose wait does not matter to the caller. */
function severity({ allowed }: PolicyDecision, isWatchOnly: boolean): number {
  if (allowed) return 0;
  return isWatchOnly ? 1 : 2;
}

/** Compares two decisions of equal severity. */
function isMoreRestrictive(a: PolicyDecision, b: PolicyDecision): boolean {
  if (!a.allowed) return a.retryAfterMs > b.retryAfterMs;
  if (a.remaining !== b.remaining) return a.remaining < b.remaining;
  return a.resetAfterMs > b.resetAfterMs;
}
