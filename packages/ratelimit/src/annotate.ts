/**
 * What decisions add to the story of the unit of work they were made for, so that its one log line tells who held it up.
 * Outside of one nothing is written, and all that it costs is to find that out; what `tryTake` allows is not told, since even
 * that would be a tenth of its time.
 */
import { currentWork, type Work } from '@macadam/core';
import type { Decision } from './decision.ts';
import type { OverloadReason } from './errors.ts';

/**
 * `rateLimiter`, `rateLimitPolicy`, `rateLimitRemaining` and `rateLimitOutcome` of the decision that mattered most: the last
 * one, but none replaces a denial; and `rateLimitDegraded` when one was made without the shared store. Gives the decision
 * back.
 */
export function tellDecision(limiter: string, decision: Decision): Decision {
  const work = currentWork();
  if (work !== undefined) annotateDecision(work, limiter, decision);
  return decision;
}

function annotateDecision(work: Work, limiter: string, decision: Decision): void {
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

/** `shedOutcome`: `served`, or why it was not (`left` by its own signal); and `shedQueueMs`, how long it waited for that. */
export function annotateShed(work: Work, outcome: OverloadReason | 'left' | 'served', queuedMs: number): void {
  work.annotate({ shedOutcome: outcome, shedQueueMs: rounded(queuedMs) });
}

/** `outboundWaitMs`: the time spent waiting for turns to call others, summed up. */
export function annotateWait(work: Work, ms: number): void {
  const soFar = work.annotations['outboundWaitMs'];
  work.annotate({ outboundWaitMs: rounded((typeof soFar === 'number' ? soFar : 0) + ms) });
}

function outcomeOf({ allowed, wouldAllow }: Decision): 'allowed' | 'denied' | 'shadowed' {
  if (!allowed) return 'denied';
  return wouldAllow === false ? 'shadowed' : 'allowed';
}

/** To the microsecond: what is beyond is noise of the clock. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
