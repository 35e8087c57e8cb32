import type { CacheStats } from './cache.ts';
import type { Loads } from './loads.ts';
import type { Reads } from './reads.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Shelf } from './shelf.ts';
import { NO_TIER } from './tier-stats.ts';

/** Gathers what the parts of a cache have counted. */
export function cacheStats<T>(
  shelf: Shelf<T>,
  reads: Reads<T>,
  loading: Loads<T>,
  shared: SharedTier<T> | undefined,
  invalidations: number,
): CacheStats {
  const { memory, markedTags } = shelf;
  const { hits, staleHits, misses, joined } = reads;
  const { loads, refreshes, failures, timeouts, fenced, inFlight, turns } = loading;
  return {
    ...(shared?.stats() ?? NO_TIER),
    waived: turns?.waived ?? 0,
    hits,
    staleHits,
    misses,
    joined,
    loads,
    refreshes,
    loadFailures: failures,
    loadTimeouts: timeouts,
    fenced: fenced + (turns?.refused ?? 0),
    invalidations,
    evictions: memory.evictions,
    oversized: memory.oversized + (shared?.envelopes.oversized ?? 0),
    entries: memory.size,
    bytes: memory.bytes,
    inFlight,
    tags: markedTags,
  };
}
