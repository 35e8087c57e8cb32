/**
 * Annotates the current unit of work with rate limit decisions, so that its canonical log line shows what limited or
 * delayed it. Without a unit of work nothing is written. `tryTake` annotates denials only: looking up the unit of work
 * would add a tenth to the time of a grant.
 */
import { currentWork, type Work } from '@macadam/core';
import type { Decision } from './decision.ts';
import type { OverloadReason } from './errors.ts';

/**
 * Writes `rateLimiter`, `rateLimitPolicy`, `rateLimitRemaining` and `rateLimitOutcome` of the last decision, except that
 * a denial is replaced only by another denial; and `rateLimitDegraded` once a decision was made without the shared
 * store. Returns the decision.
 */
export function annotateDecision(limiter: string, decision: Decision): Decision {
  const work = currentWork();
  if (work !== undefined) writeDecision(work, limiter, decision);
  return decision;
}

function writeDecision(work: Work, limiter: string, decision: Decision): void {
  const outcome = outcomeOf(decision);
  if (decision.degraded) work.annotate({ rateLimitDegraded: true });
  if (work.annotations['rateLimitOutcome'] === 'denied' && outcome !== 'denied') return;
  work.annotate({
    rateLimiter: limiter,
    rateLimitPolicy: decision.policy,
    rateLimitRemaining: decision.remaining,
    rateLimitOutcome: outcome,
  });
}

/** Writes `shedOutcome` (`served`, the reason of the rejection, or `left` when its signal aborted) and `shedQueueMs`. */
export function annotateShed(work: Work, outcome: OverloadReason | 'left' | 'served', queuedMs: number): void {
  work.annotate({ shedOutcome: outcome, shedQueueMs: rounded(queuedMs) });
}

/** Adds to `outboundWaitMs`, the total wait for outbound limiters. */
export function annotateWait(work: Work, ms: number): void {
  const soFar = work.annotations['outboundWaitMs'];
  work.annotate({ outboundWaitMs: rounded((typeof soFar === 'number' ? soFar : 0) + ms) });
}

function outcomeOf({ allowed, wouldAllow }: Decision): 'allowed' | 'denied' | 'shadowed' {
  if (!allowed) return 'denied';
  return wouldAllow === false ? 'shadowed' : 'allowed';
}

/** Rounds to microseconds, the resolution of the clock. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
