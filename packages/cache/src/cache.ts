import type { Freshness } from './entry.ts';
import type { LoadOptions, SetOptions } from './options.ts';
import type { TierStats } from './tier-stats.ts';

/** What a loader receives. Its functions can be destructured. */
export interface LoadContext<T> {
  /** The key to load. */
  readonly key: string;
  /**
   * Aborts when the load runs out of time (`loaderTimeoutMs`) or the cache is closed. It does not abort when a caller
   * leaves, since others may share the load. Created when it is first read.
   */
  readonly signal: AbortSignal;
  /**
   * The old value that is being replaced, for a conditional request with its validator. Undefined when there is none.
   */
  readonly stale?: StaleValue<T>;
  /**
   * Sets how long this value is fresh, in milliseconds, at least 0; 0 stores nothing. Overrides every other lifetime.
   */
  setTtl(ttlMs: number): void;
  /** Adds tags that are known only after loading. At most 16 together with the tags of the options. */
  addTags(tags: readonly string[]): void;
  /**
   * Stores a validator with the value, such as an `ETag`: 1 to 1,024 characters. It is kept in every tier and passed to
   * the next load in `stale`.
   */
  setValidator(validator: string): void;
  /**
   * Returns the stale value as the result, for a source that says that nothing has changed: `return notModified()`. The
   * value is fresh again for its full lifetime. It keeps its validator unless a new one was set, and its tags, to which
   * those of the options and of `addTags` are added; with more than 16 in all, it is returned without storing it.
   * @throws CacheValueError `MAC_CACHE_VALUE` when there is no stale value
   */
  notModified(): T;
  /** Returns the result to those who wait for it without storing it. */
  skip(): void;
}

/** An old value that is being reloaded. */
export interface StaleValue<T> {
  /** The value as it was stored. */
  readonly value: T;
  /** How long ago it was stored, in milliseconds. */
  readonly ageMs: number;
  /** What its loader passed to `setValidator`; undefined when it did not. */
  readonly validator?: string;
}

/**
 * Loads one value from its source. `null` means that the value does not exist and is cached for `negativeTtlMs`;
 * `undefined` is returned and not cached.
 */
export type Loader<T, R extends T | undefined = T> = (context: LoadContext<T>) => PromiseLike<R> | R;

/** What a bulk loader receives: the same as {@link LoadContext}, with the key as the first argument. */
export interface LoadManyContext<T = unknown> {
  /** Aborts when the load runs out of time (`loaderTimeoutMs`) or the cache is closed. */
  readonly signal: AbortSignal;
  /** The old value of a key that is being replaced; see `LoadContext.stale`. */
  stale(key: string): StaleValue<T> | undefined;
  /** Stores a validator with the value of a key; see `LoadContext.setValidator`. */
  setValidator(key: string, validator: string): void;
  /** The value to return for a key that has not changed; see `LoadContext.notModified`. */
  notModified(key: string): T;
  /** Sets how long the value of a key is fresh, in milliseconds; see `LoadContext.setTtl`. */
  setTtl(key: string, ttlMs: number): void;
  /** Adds tags to the value of a key; see `LoadContext.addTags`. */
  addTags(key: string, tags: readonly string[]): void;
  /** Returns the value of a key without storing it; see `LoadContext.skip`. */
  skip(key: string): void;
}

/**
 * What a bulk loader returns: pairs of key and value, such as a `Map`, or an object by key. Keys that are left out are
 * not cached.
 */
export type LoadedMany<T> = Iterable<readonly [key: string, value: T]> | Readonly<Record<string, T>>;

/** Loads several values at once. `keys` contains no key twice. */
export type LoaderOfMany<T> = (
  keys: readonly string[],
  context: LoadManyContext<T>,
) => LoadedMany<T> | PromiseLike<LoadedMany<T>>;

/** Options of `cache.warm`. */
export interface WarmOptions extends SetOptions {
  /** Number of keys passed to the loader at once, a whole number of at least 1. Default: 100. */
  batchSize?: number;
}

/**
 * What `cache.warm` did. The three numbers add up to the number of keys, where repetitions within a batch do not count.
 */
export interface WarmResult {
  /** Keys that were already fresh. */
  readonly present: number;
  /** Keys that were loaded. */
  readonly loaded: number;
  /** Keys without a value: the loader failed, or left them out. */
  readonly failed: number;
}

/**
 * One entry in memory, as `cache.inspect` shows it. Times are in milliseconds from now; a time in the past is negative.
 */
export interface EntryState {
  /** How the entry may be used now. */
  readonly state: Freshness;
  /** Whether it is a cached absence (`null`). */
  readonly negative: boolean;
  /** How long ago it was stored, in milliseconds. */
  readonly ageMs: number;
  /** How long it stays fresh, in milliseconds. */
  readonly freshForMs: number;
  /** When it is refreshed early, in milliseconds from now. */
  readonly refreshInMs: number;
  /** How long it may still be served stale, in milliseconds. */
  readonly staleForMs: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Its estimated size, in bytes. */
  readonly bytes: number;
  /** Failed loads in a row. */
  readonly failures: number;
  /** After a failure: when the next load may start, in milliseconds from now; 0 for immediately. */
  readonly retryInMs: number;
  /** Whether a load of this key is in flight. */
  readonly loading: boolean;
}

/** Counts since the cache was created, and its current size. The metrics of the cache report the same numbers. */
export interface CacheStats extends TierStats {
  /** Reads answered with a fresh value. */
  readonly hits: number;
  /** Reads answered with a stale value, while it was reloaded or because the reload failed or was slow. */
  readonly staleHits: number;
  /** Reads that found nothing to return at once. */
  readonly misses: number;
  /** Misses that waited for a load which another caller had started. */
  readonly joined: number;
  /** Calls of a loader. */
  readonly loads: number;
  /** Loads in the background, whose caller had already been answered. Included in `loads`. */
  readonly refreshes: number;
  /** Loads that failed, timeouts not included. */
  readonly loadFailures: number;
  /** Loads that exceeded `loaderTimeoutMs`. */
  readonly loadTimeouts: number;
  /** Loaded values that were not stored, because an invalidation or a newer value arrived in the meantime. */
  readonly fenced: number;
  /** Keys and tags that were invalidated or expired by this instance; `clear` counts once. */
  readonly invalidations: number;
  /** Entries removed from memory to make room. */
  readonly evictions: number;
  /** Values that were too large to store, in memory or in the shared tier. */
  readonly oversized: number;
  /** Entries in memory now. */
  readonly entries: number;
  /** Estimated size of the values in memory, in bytes. */
  readonly bytes: number;
  /** Loads in flight now. */
  readonly inFlight: number;
  /** Invalidated tags that are remembered now. */
  readonly tags: number;
}

/**
 * A cache of values by key. Created by `createCache`. Keys are strings that are not empty. After `close()` every call
 * that returns a promise rejects with `MAC_CLOSED`; `peek` and `inspect` find nothing.
 */
export interface Cache<T> extends AsyncDisposable {
  /** The name from the options. */
  readonly name: string;
  /** Returns the fresh value in memory, synchronously: undefined when there is none, `null` for a cached absence. */
  peek(key: string): T | undefined;
  /**
   * Returns the fresh value from any tier. Does not load. Undefined when there is none, `null` for a cached absence.
   */
  get(key: string): Promise<T | undefined>;
  /**
   * Returns the value, loading it if necessary. Concurrent calls for a key share one load, which ends after
   * `loaderTimeoutMs` at the latest. When loading fails, a value within `staleIfErrorMs` is served instead.
   * @throws CacheLoaderError `MAC_CACHE_LOADER`, with the error of the loader as its cause
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that cannot be stored as the options ask
   * @throws ClosedError `MAC_CLOSED` after `close()`, and the reason of the caller's signal
   */
  getOrLoad<R extends T | undefined = T>(key: string, loader: Loader<T, R>, options?: LoadOptions): Promise<R | T>;
  /** Returns the fresh values that exist, from any tier. Does not load. */
  getMany(keys: Iterable<string>): Promise<Map<string, T>>;
  /**
   * Returns the values of several keys and loads all missing ones with one call of the loader. In the order of `keys`;
   * without those that the loader left out.
   * @throws CacheLoaderError `MAC_CACHE_LOADER` when a value could not be loaded and there is no stale one to serve
   */
  getOrLoadMany(keys: Iterable<string>, loader: LoaderOfMany<T>, options?: LoadOptions): Promise<Map<string, T>>;
  /**
   * Stores a value. A load in flight will not overwrite it. `undefined` removes the value. Resolves with whether the
   * shared tier has acknowledged it; `true` without one. `false`: it holds in this process, and is repeated in the
   * background until the tier acknowledges that the old value is gone; or a newer change of the key has overtaken it.
   */
  set(key: string, value: T | undefined, options?: SetOptions): Promise<boolean>;
  /**
   * Makes sure that the current value is never served again, neither from memory nor by a load that is in flight.
   * Resolves with whether the shared tier has acknowledged it; after `false` it is repeated in the background.
   */
  invalidate(keys: Iterable<string> | string): Promise<boolean>;
  /**
   * Ends the freshness of the current value. It may still be served stale while it is reloaded. Resolves as
   * `invalidate` does.
   */
  expire(keys: Iterable<string> | string): Promise<boolean>;
  /** Like `invalidate`, for every entry with one of the tags, including values in flight that get the tag later. */
  invalidateTags(tags: readonly string[]): Promise<boolean>;
  /** Like `expire`, for every entry with one of the tags. */
  expireTags(tags: readonly string[]): Promise<boolean>;
  /** Like `invalidate`, for every entry. */
  clear(): Promise<boolean>;
  /**
   * Loads the keys that are not fresh, in batches, one batch after the other. A batch that fails does not stop the
   * others. Rejects when the current work is cancelled or its deadline passes, with the reason.
   */
  warm(
    keys: AsyncIterable<string> | Iterable<string>,
    loader: LoaderOfMany<T>,
    options?: WarmOptions,
  ): Promise<WarmResult>;
  /**
   * Returns the state of a key in the memory of this process; undefined when there is none. Does not count as a read.
   */
  inspect(key: string): EntryState | undefined;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since the cache was created, and its current size. */
  stats(): CacheStats;
  /** Aborts the loads in flight and releases everything. Calls made later reject with `MAC_CLOSED`. */
  close(): Promise<void>;
}
