import type { Work } from '@macadam/core';
import type { AttemptLog } from './attempts.ts';

/**
 * Adds a call to the annotations of the current work, summed over all clients: `httpCalls`, `httpAttempts` and `httpMs`, the
 * duration of the calls. Calls that overlap each count in full.
 */
export function annotateCall(work: Work, log: AttemptLog, now: number): void {
  const { annotations } = work;
  work.annotate({
    httpCalls: numberOrZero(annotations['httpCalls']) + 1,
    httpAttempts: numberOrZero(annotations['httpAttempts']) + log.records.length,
    httpMs: Math.round((numberOrZero(annotations['httpMs']) + now - log.startedAt) * 1_000) / 1_000,
  });
}

function numberOrZero(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
