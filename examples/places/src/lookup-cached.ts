// A cache in front of any lookup: places that were found before are still found while the gazetteer is slow or down.
import { createCache, CacheLoaderError } from '@macadam/cache';
import { type Lookup, LookupError } from './lookup.ts';
import type { Place } from './place.ts';

export function cachedLookup(lookup: Lookup): Lookup {
  const places = createCache<Place[]>({
    name: 'places',
    // Short, so that entries become stale within a short run. Places rarely change: a real service would use hours.
    ttlMs: 2_000,
    // When an entry is stale, a caller waits for the gazetteer for at most 100 ms, and then gets the stale value.
    loaderSoftTimeoutMs: 100,
    staleIfErrorMs: 3_600_000,
  });
  return {
    async find(name) {
      try {
        return await places.getOrLoad(name, () => lookup.find(name));
      } catch (error) {
        throw error instanceof CacheLoaderError && error.cause instanceof LookupError ? error.cause : error;
      }
    },
    activity: () => lookup.activity(),
    async close() {
      await places.close();
      await lookup.close();
    },
  };
}
