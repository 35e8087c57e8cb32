import type { CacheStats } from './cache.ts';
import type { Loads } from './loads.ts';
import type { Reads } from './reads.ts';
import type { SharedTier } from './shared-tier.ts';
import type { L1Store } from './l1-store.ts';
import { NO_TIER } from './tier-stats.ts';

/** Gathers the counts of the parts of a cache. */
export function cacheStats<T>(
  l1: L1Store<T>,
  reads: Reads<T>,
  loadsInFlight: Loads<T>,
  shared: SharedTier<T> | undefined,
  invalidations: number,
): CacheStats {
  const { memory, markedTags } = l1;
  const { hits, staleHits, misses, joined } = reads;
  const { loads, refreshes, failures, timeouts, fenced, inFlight, sharedLoads } = loadsInFlight;
  return {
    ...(shared?.stats() ?? NO_TIER),
    waived: sharedLoads?.waived ?? 0,
    hits,
    staleHits,
    misses,
    joined,
    loads,
    refreshes,
    loadFailures: failures,
    loadTimeouts: timeouts,
    fenced: fenced + (sharedLoads?.refused ?? 0),
    invalidations,
    evictions: memory.evictions,
    oversized: memory.oversized + (shared?.envelopes.oversized ?? 0),
    entries: memory.size,
    bytes: memory.bytes,
    inFlight,
    tags: markedTags,
  };
}
