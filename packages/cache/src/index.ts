export type {
  Cache,
  CacheStats,
  EntryState,
  LoadContext,
  LoadedMany,
  Loader,
  LoaderOfMany,
  LoadManyContext,
  StaleValue,
  WarmOptions,
  WarmResult,
} from './cache.ts';
export { createCache } from './create-cache.ts';
export type { Freshness } from './entry.ts';
export { CacheClosedError, CacheLoaderError, CacheValueError } from './errors.ts';
export type { LoadFailure } from './errors.ts';
export type { Isolation } from './isolation.ts';
export type { MemoryOptions } from './memory.ts';
export type { CacheOptions, LoadOptions, SetOptions } from './options.ts';
