import { assertInteger, assertKnownOptions, assertObject, assertOneOf, OptionsError } from '@macadam/core';
import { MemoryHttpCacheStore, type HttpCacheStore } from './memory-store.ts';
import type { CacheMode } from './stored-response.ts';

/** URLs in memory. Source: the memory tier of `@macadam/cache`. */
export const DEFAULT_CACHE_MAX_ENTRIES = 10_000;
/** 64 MiB in memory. Source: as above. */
export const DEFAULT_CACHE_MAX_BYTES = 67_108_864;

/** A cache for answers, as RFC 9111 has it: what may be kept, for how long and for whom is up to the server. */
export interface HttpCacheOptions {
  /**
   * `private`: for one user, whose credentials this client sends. `shared`: for everybody; it keeps only what a server
   * allows to be shared. Default: `private`.
   */
  mode?: CacheMode;
  /**
   * Where answers are kept. Default: in memory. A store that fails, or does not answer within 250 ms, is as good as an
   * empty one, and is left alone for a while (1 s to 30 s) after five failures in a row. Do not put the private caches of
   * several users into one store.
   */
  store?: HttpCacheStore;
  /** URLs kept in memory, at least 1; what was used least recently goes first. Default: 10 000. */
  maxEntries?: number;
  /** Bytes kept in memory, at least 1. Default: 67 108 864 (64 MiB). */
  maxBytes?: number;
}

/** The options with their defaults, checked. */
export interface HttpCacheSettings {
  readonly mode: CacheMode;
  readonly store: HttpCacheStore;
  readonly described: string;
}

export function httpCacheSettings(option: HttpCacheOptions | false | undefined): HttpCacheSettings | undefined {
  if (option === undefined || option === false) return undefined;
  assertObject('cache', option);
  assertKnownOptions('cache', option, ['mode', 'store', 'maxEntries', 'maxBytes']);
  const { mode = 'private', store } = option;
  assertOneOf('cache.mode', mode, ['private', 'shared']);
  if (store !== undefined) return { mode, store: checkedStore(option, store), described: 'the store it was given' };
  const { maxEntries = DEFAULT_CACHE_MAX_ENTRIES, maxBytes = DEFAULT_CACHE_MAX_BYTES } = option;
  assertInteger('cache.maxEntries', maxEntries, { min: 1 });
  assertInteger('cache.maxBytes', maxBytes, { min: 1 });
  const described = `memory: up to ${maxEntries} URLs, ${maxBytes} bytes`;
  return { mode, store: new MemoryHttpCacheStore(maxEntries, maxBytes), described };
}

function checkedStore(option: HttpCacheOptions, store: HttpCacheStore): HttpCacheStore {
  for (const verb of ['get', 'set', 'delete'] as const) {
    if (typeof store?.[verb] !== 'function') throw new OptionsError('cache.store', store, 'with get, set and delete');
  }
  for (const name of ['maxEntries', 'maxBytes'] as const) {
    if (option[name] !== undefined) {
      throw new OptionsError(`cache.${name}`, option[name], 'left out: the store that was given has its own limits');
    }
  }
  return store;
}
