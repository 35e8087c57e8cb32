import type { Work } from '@macadam/core';

/**
 * Adds a read that had to wait to the annotations of its unit of work: `cacheWaits` and `cacheMs`, and `cacheL2Hits` or
 * `cacheLoads` by what it waited for, summed over all caches. A hit in memory is not recorded and costs nothing.
 */
export function annotateWait(work: Work, waitedMs: number, loaded: boolean): void {
  const { annotations } = work;
  const source = loaded ? 'cacheLoads' : 'cacheL2Hits';
  work.annotate({
    [source]: numberOrZero(annotations[source]) + 1,
    cacheWaits: numberOrZero(annotations['cacheWaits']) + 1,
    cacheMs: Math.round((numberOrZero(annotations['cacheMs']) + waitedMs) * 1_000) / 1_000,
  });
}

function numberOrZero(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
