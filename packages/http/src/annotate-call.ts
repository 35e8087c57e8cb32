import type { Work } from '@macadam/core';
import type { AttemptLog } from './attempts.ts';

/**
 * Adds a call to the story of the work it is part of: `httpCalls`, `httpAttempts` and `httpMs`, the time spent waiting
 * for others, summed over all clients. Calls made at the same time count in full, each.
 */
export function annotateCall(work: Work, log: AttemptLog, now: number): void {
  const { annotations } = work;
  work.annotate({
    httpCalls: soFar(annotations['httpCalls']) + 1,
    httpAttempts: soFar(annotations['httpAttempts']) + log.records.length,
    httpMs: Math.round((soFar(annotations['httpMs']) + now - log.startedAt) * 1_000) / 1_000,
  });
}

function soFar(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
