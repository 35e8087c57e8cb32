import type { Freshness } from './entry.ts';
import type { LoadOptions, SetOptions } from './options.ts';
import type { TierStats } from './tier-stats.ts';

/** What a loader is given. The functions can be taken out of it. */
export interface LoadContext<T> {
  readonly key: string;
  /** Aborts when the load is out of time or the cache is closed, and not when a caller leaves. Made when first read. */
  readonly signal: AbortSignal;
  /** The value that is being loaded anew: for a conditional request, with its validator. */
  readonly stale?: StaleValue<T>;
  /** How long this value is fresh, in milliseconds, at least 0; 0 keeps nothing. Overrides every other lifetime. */
  setTtl(ttlMs: number): void;
  /** Tags known only now. Together with those of the options, 16 at most. */
  addTags(tags: readonly string[]): void;
  /**
   * What the source compares to say whether this value has changed, such as an entity tag: 1 to 1,024 characters. It stays with the
   * value, in every tier, and is in `stale` of the next load.
   */
  setValidator(validator: string): void;
  /**
   * The source says that nothing has changed: `return notModified()`. The stale value is fresh again, for its full lifetime, with its
   * validator and its tags unless others were given.
   * @throws CacheValueError `MAC_CACHE_VALUE` when there is no stale value
   */
  notModified(): T;
  /** The result goes to those who wait for it and is not kept. */
  skip(): void;
}

export interface StaleValue<T> {
  readonly value: T;
  /** How long ago it was stored, in milliseconds. */
  readonly ageMs: number;
  /** What its load gave to `setValidator`. */
  readonly validator?: string;
}

/** Gets a value from where it comes from. `null` is an absence that is cached; `undefined` is not cached. */
export type Loader<T, R extends T | undefined = T> = (context: LoadContext<T>) => PromiseLike<R> | R;

/** What a bulk loader is given, with the key to say which value is meant. */
export interface LoadManyContext<T = unknown> {
  /** Aborts when the load is out of time or the cache is closed. */
  readonly signal: AbortSignal;
  /** The value that is being loaded anew; see `LoadContext.stale`. */
  stale(key: string): StaleValue<T> | undefined;
  setValidator(key: string, validator: string): void;
  /** The value to return for a key that has not changed; see `LoadContext.notModified`. */
  notModified(key: string): T;
  setTtl(key: string, ttlMs: number): void;
  addTags(key: string, tags: readonly string[]): void;
  skip(key: string): void;
}

/** What a bulk loader returns: pairs, such as a `Map`, or an object by key. What is left out is not cached. */
export type LoadedMany<T> = Iterable<readonly [key: string, value: T]> | Readonly<Record<string, T>>;

/** Gets several values at once. `keys` holds no key twice. */
export type LoaderOfMany<T> = (
  keys: readonly string[],
  context: LoadManyContext<T>,
) => LoadedMany<T> | PromiseLike<LoadedMany<T>>;

export interface WarmOptions extends SetOptions {
  /** Keys given to the loader at once, at least 1. Default: 100. */
  batchSize?: number;
}

export interface WarmResult {
  /** Keys that were fresh already. */
  readonly present: number;
  readonly loaded: number;
  /** Keys for which there is no value now: the loader failed, or left them out. */
  readonly failed: number;
}

/** One entry as it stands in memory. Times are in milliseconds from now; one in the past is negative. */
export interface EntryState {
  readonly state: Freshness;
  readonly negative: boolean;
  readonly ageMs: number;
  readonly freshForMs: number;
  readonly refreshInMs: number;
  readonly staleForMs: number;
  readonly tags: readonly string[];
  readonly bytes: number;
  /** Failed loads in a row. */
  readonly failures: number;
  /** After a failure: when the next load may begin; 0 for at once. */
  readonly retryInMs: number;
  readonly loading: boolean;
}

/** Counts since the cache was made, and sizes now. */
export interface CacheStats extends TierStats {
  /** Reads answered with a fresh value. */
  readonly hits: number;
  /** Reads answered with a stale value: while it was loaded anew, or because that failed or was slow. */
  readonly staleHits: number;
  /** Reads that found nothing to answer with at once. */
  readonly misses: number;
  /** Misses that waited for a load another caller had begun. */
  readonly joined: number;
  readonly loads: number;
  /** Of the loads: those behind a caller that had been answered. */
  readonly refreshes: number;
  readonly loadFailures: number;
  readonly loadTimeouts: number;
  /** Results not kept, because an invalidation or a newer value came while they were loaded. */
  readonly fenced: number;
  readonly invalidations: number;
  readonly evictions: number;
  /** Values too large to keep, in memory or in the shared tier. */
  readonly oversized: number;
  readonly entries: number;
  /** Estimated. */
  readonly bytes: number;
  readonly inFlight: number;
  /** Invalidated tags that are remembered. */
  readonly tags: number;
}

/** A cache of values by key. Made by `createCache`. */
export interface Cache<T> extends AsyncDisposable {
  readonly name: string;
  /** The fresh value in memory, at once; undefined when there is none, null for a cached absence. */
  peek(key: string): T | undefined;
  /** Like `peek`, through every tier. Loads nothing. */
  get(key: string): Promise<T | undefined>;
  /**
   * The value, loaded if need be. Concurrent calls for a key share one load, which ends in `loaderTimeoutMs` at the latest.
   * When loading fails, a value within `staleIfErrorMs` is served instead.
   * @throws CacheLoaderError `MAC_CACHE_LOADER`, with the loader's error as its cause
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that cannot be kept in the chosen isolation
   */
  getOrLoad<R extends T | undefined = T>(key: string, loader: Loader<T, R>, options?: LoadOptions): Promise<R | T>;
  /** The fresh values there are. */
  getMany(keys: Iterable<string>): Promise<Map<string, T>>;
  /**
   * The values, all missing ones loaded by one call. In the order of `keys`; without those the loader left out.
   * @throws CacheLoaderError `MAC_CACHE_LOADER` when a value could not be loaded and no stale one may serve
   */
  getOrLoadMany(keys: Iterable<string>, loader: LoaderOfMany<T>, options?: LoadOptions): Promise<Map<string, T>>;
  /** Puts a value in place. A load in flight will not replace it. `undefined` removes. */
  set(key: string, value: T | undefined, options?: SetOptions): Promise<boolean>;
  /** Never serves the current value again, in any role: not the one in memory, not one that is being loaded. */
  invalidate(keys: Iterable<string> | string): Promise<boolean>;
  /** Ends the freshness of the current value. It may serve while it is loaded anew, as any stale value. */
  expire(keys: Iterable<string> | string): Promise<boolean>;
  /** Like `invalidate`, for everything with one of the tags, including what is being loaded now and gets the tag later. */
  invalidateTags(tags: readonly string[]): Promise<boolean>;
  /** Like `expire`, for everything with one of the tags. */
  expireTags(tags: readonly string[]): Promise<boolean>;
  /** Like `invalidate`, for everything. */
  clear(): Promise<boolean>;
  /** Loads what is not fresh, batch by batch, one after the other. A batch that fails does not stop the others. */
  warm(
    keys: AsyncIterable<string> | Iterable<string>,
    loader: LoaderOfMany<T>,
    options?: WarmOptions,
  ): Promise<WarmResult>;
  /** What is known about a key in this process; undefined when nothing is. Reading it changes nothing. */
  inspect(key: string): EntryState | undefined;
  /** The effective options, in words. */
  describe(): string;
  stats(): CacheStats;
  /** Aborts the loads in flight and lets go of everything. Calls made later reject with `MAC_CLOSED`. */
  close(): Promise<void>;
}
