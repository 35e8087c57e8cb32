import { assertInteger, assertKnownOptions, assertObject, assertOneOf, OptionsError } from '@macadam/core';
import { MemoryHttpCacheStore, type HttpCacheStore } from './memory-store.ts';
import type { CacheMode } from './stored-response.ts';

/** Maximum number of URLs in memory. Source: the memory tier of `@macadam/cache`. */
export const DEFAULT_CACHE_MAX_ENTRIES = 10_000;
/** Maximum size in memory: 64 MiB. Source: the memory tier of `@macadam/cache`. */
export const DEFAULT_CACHE_MAX_BYTES = 67_108_864;

/** An HTTP cache by the rules of RFC 9111: the server decides what may be stored, for how long and for whom. */
export interface HttpCacheOptions {
  /**
   * `private` stores responses for one user, whose credentials the client sends. `shared` stores only responses that the server
   * allows to be shared. Default: `private`.
   */
  mode?: CacheMode;
  /**
   * Where responses are stored. Default: in memory. A store that fails, or takes longer than 250 ms, is treated as empty, and
   * after five failures in a row it is not used for 1 s to 30 s. Do not share one store between the private caches of several
   * users.
   */
  store?: HttpCacheStore;
  /** Maximum number of URLs in memory, at least 1; the least recently used is evicted first. Not allowed with `store`. Default: 10 000. */
  maxEntries?: number;
  /** Maximum approximate size in memory in bytes, at least 1. Not allowed with `store`. Default: 67 108 864 (64 MiB). */
  maxBytes?: number;
}

/** The validated options with their defaults. */
export interface HttpCacheSettings {
  readonly mode: CacheMode;
  readonly store: HttpCacheStore | MemoryHttpCacheStore;
  /** Where responses are stored, in words. */
  readonly storeDescription: string;
}

export function httpCacheSettings(option: HttpCacheOptions | false | undefined): HttpCacheSettings | undefined {
  if (option === undefined || option === false) return undefined;
  assertObject('cache', option);
  assertKnownOptions('cache', option, ['mode', 'store', 'maxEntries', 'maxBytes']);
  const { mode = 'private', store } = option;
  assertOneOf('cache.mode', mode, ['private', 'shared']);
  if (store !== undefined) return { mode, store: validatedStore(option, store), storeDescription: 'the given store' };
  const { maxEntries = DEFAULT_CACHE_MAX_ENTRIES, maxBytes = DEFAULT_CACHE_MAX_BYTES } = option;
  assertInteger('cache.maxEntries', maxEntries, { min: 1 });
  assertInteger('cache.maxBytes', maxBytes, { min: 1 });
  const storeDescription = `memory: up to ${maxEntries} URLs, ${maxBytes} bytes`;
  return { mode, store: new MemoryHttpCacheStore(maxEntries, maxBytes), storeDescription };
}

function validatedStore(option: HttpCacheOptions, store: HttpCacheStore): HttpCacheStore {
  for (const method of ['get', 'set', 'delete'] as const) {
    if (typeof store?.[method] !== 'function') throw new OptionsError('cache.store', store, 'with get, set and delete');
  }
  for (const name of ['maxEntries', 'maxBytes'] as const) {
    if (option[name] !== undefined) {
      throw new OptionsError(`cache.${name}`, option[name], 'left out: the store that was given has its own limits');
    }
  }
  return store;
}
