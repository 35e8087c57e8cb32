import { say, type Limit } from '../algorithms/limit.ts';
import type { Decision, DecisionSource, LimitDecision, PolicyDecision } from '../decision.ts';

/** A decision about to be made. */
export type Undecided = { -readonly [Field in keyof Decision]: Decision[Field] };

/** Begins every decision: its fields are set in one place, so that all decisions have one shape. */
export function undecided({ name, periodMs }: Limit, source: DecisionSource, stamp: number): Undecided {
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

export function decisionOf(
  limit: Limit,
  said: LimitDecision,
  source: DecisionSource,
  granted: number,
  stamp: number,
): Decision {
  const decision = undecided(limit, source, stamp);
  say(decision, said.allowed, said.limit, said.remaining, said.retryAfterMs, said.resetAfterMs);
  decision.granted = granted;
  return decision;
}

/** Whether a limit may not deny this key: it only watches. Bit i of `watching` stands for limit i. */
export function watches(watching: number, i: number): boolean {
  return (watching & (1 << i)) !== 0;
}

/** Lets through what only limits that watch would have denied; the others, if any, were charged `granted`. */
export function letThrough(decision: Decision, granted: number): Decision {
  return { ...decision, allowed: true, granted, wouldAllow: false };
}

/** Whether all of so many limits only watch. */
export function allWatch(watching: number, limits: number): boolean {
  return watching === (1 << limits) - 1;
}

/** One answer for all limits, however many there are. Those of `watching` deny nobody. */
export function answerOf(
  limits: readonly Limit[],
  said: readonly LimitDecision[],
  source: DecisionSource,
  granted: number,
  stamp: number,
  watching = 0,
): Decision {
  return limits.length === 1
    ? decisionOf(limits[0] as Limit, said[0] as LimitDecision, source, granted, stamp)
    : combine(limits, said, source, granted, stamp, watching);
}

/** What every limit says of a key that is blocked for so long. */
export function blockedFor(limits: readonly Limit[], waitMs: number): LimitDecision[] {
  const wait = Math.ceil(waitMs);
  return limits.map(({ limit, capacity }) => ({
    allowed: false,
    limit: Math.max(limit, capacity),
    remaining: 0,
    retryAfterMs: wait,
    resetAfterMs: wait,
  }));
}

/**
 * One answer out of several. A denial names the limit with the longest wait, so that whoever comes back then is not sent
 * away by another one; a grant names the limit that has the least left, or the one that watches and would have denied it.
 */
function combine(
  limits: readonly Limit[],
  said: readonly LimitDecision[],
  source: DecisionSource,
  granted: number,
  stamp: number,
  watching: number,
): Decision {
  const policies: PolicyDecision[] = said.map((one, i) => {
    const { name, periodMs } = limits[i] as Limit;
    return { ...one, policy: name, periodMs };
  });
  let chosen = 0;
  for (let i = 1; i < policies.length; i++) {
    const [one, other] = [policies[i] as PolicyDecision, policies[chosen] as PolicyDecision];
    const louder = weight(one, watches(watching, i)) - weight(other, watches(watching, chosen));
    if (louder > 0 || (louder === 0 && speaksLouder(one, other))) chosen = i;
  }
  const decision = decisionOf(limits[chosen] as Limit, said[chosen] as LimitDecision, source, granted, stamp);
  return { ...decision, policies };
}

/** Nobody waits for a limit that only watches: a denial that counts comes before what it says. */
function weight({ allowed }: PolicyDecision, onlyWatches: boolean): number {
  if (allowed) return 0;
  return onlyWatches ? 1 : 2;
}

function speaksLouder(one: PolicyDecision, other: PolicyDecision): boolean {
  if (!one.allowed) return one.retryAfterMs > other.retryAfterMs;
  if (one.remaining !== other.remaining) return one.remaining < other.remaining;
  return one.resetAfterMs > other.resetAfterMs;
}
