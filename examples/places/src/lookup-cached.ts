// Any lookup with a cache in front: what was found once keeps being found while the gazetteer is slow or down.
import { createCache, CacheLoaderError } from '@macadam/cache';
import { type Lookup, LookupError } from './lookup.ts';
import type { Place } from './place.ts';

export function cachedLookup(lookup: Lookup): Lookup {
  const places = createCache<Place[]>({
    name: 'places',
    // Places seldom move: two seconds are here so that a short run sees answers grow old.
    ttlMs: 2_000,
    // From then on the gazetteer is asked again, but nobody waits longer than this for it, or is failed by it.
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
