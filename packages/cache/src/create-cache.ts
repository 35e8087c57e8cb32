import type { Cache } from './cache.ts';
import { LoadingCache } from './loading-cache.ts';
import { cacheSettings, type CacheOptions } from './options.ts';

/**
 * Creates a cache in the memory of this process and, with `l2`, in a tier that all processes share. Concurrent calls
 * for a key share one load. Once an invalidation is acknowledged, no read returns the old value, whatever was being
 * loaded meanwhile.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createCache } from '@macadam/cache';
 *
 * const users = createCache<{ name: string }>({ name: 'users', ttlMs: 60_000 });
 * const load = async () => ({ name: 'Ann' });
 * const [first, second] = await Promise.all([users.getOrLoad('1', load), users.getOrLoad('1', load)]);
 * if (first !== second || users.stats().loads !== 1) throw new Error('both share one load');
 * await users.invalidate('1');
 * ```
 */
export function createCache<T>(options: CacheOptions<T>): Cache<T> {
  return new LoadingCache<T>(cacheSettings(options));
}
