import type { Work } from '@macadam/core';

/**
 * Adds a read that had to wait to the story of the work it is part of: `cacheWaits` and `cacheMs`, and `cacheL2Hits` or
 * `cacheLoads` by what it waited for, summed over all caches. A hit in memory tells nothing, and costs nothing.
 */
export function annotateWait(work: Work, waitedMs: number, loaded: boolean): void {
  const { annotations } = work;
  const source = loaded ? 'cacheLoads' : 'cacheL2Hits';
  work.annotate({
    [source]: soFar(annotations[source]) + 1,
    cacheWaits: soFar(annotations['cacheWaits']) + 1,
    cacheMs: Math.round((soFar(annotations['cacheMs']) + waitedMs) * 1_000) / 1_000,
  });
}

function soFar(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
