import type { Work } from '@macadam/core';

/**
 * Adds a read that had to wait to the story of the work it is part of: `cacheWaits` and `cacheMs`, summed over all caches. A hit
 * tells nothing, and costs nothing.
 */
export function annotateWait(work: Work, waitedMs: number): void {
  const { annotations } = work;
  work.annotate({
    cacheWaits: soFar(annotations['cacheWaits']) + 1,
    cacheMs: Math.round((soFar(annotations['cacheMs']) + waitedMs) * 1_000) / 1_000,
  });
}

function soFar(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
