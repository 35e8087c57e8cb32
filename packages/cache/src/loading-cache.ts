import { assertFunction } from '@macadam/core';
import { presentValues } from './batch.ts';
import type { Cache, CacheStats, EntryState, Loader, LoaderOfMany, WarmOptions, WarmResult } from './cache.ts';
import { cacheStats } from './cache-stats.ts';
import { describeCache, entryState } from './describe.ts';
import { closedError } from './errors.ts';
import type { FlightContext } from './flight-context.ts';
import { maxStaleMs } from './entry.ts';
import { observe } from './instruments.ts';
import { isolateForStorage } from './isolation.ts';
import { distinctKeys, storageKeys, storageKey } from './key.ts';
import { loadMany } from './load-many.ts';
import { Loads } from './loads.ts';
import { assertLoadOptions, assertSetOptions, copyOptions, NO_OPTIONS } from './options.ts';
import type { CacheSettings, LoadOptions, SetOptions } from './options.ts';
import { Reads } from './reads.ts';
import { L1Store } from './l1-store.ts';
import { assertTags } from './tag-marks.ts';
import { approximateBytes } from './value-size.ts';
import { WHILE_DISCONNECTED, SharedTier } from './shared-tier.ts';
import type { Ending, TierChange } from './tier.ts';
import { warm } from './warm.ts';

/**
 * The implementation of `Cache`: wires the memory tier (`L1Store`), the shared tier (`SharedTier`), the loads in flight
 * (`Loads`) and the read paths (`Reads`), and applies invalidations to all of them.
 */
export class LoadingCache<T> implements Cache<T> {
  readonly name: string;
  readonly #settings: CacheSettings;
  readonly #l1: L1Store<T>;
  readonly #shared: SharedTier<T> | undefined;
  readonly #loads: Loads<T>;
  readonly #reads: Reads<T>;
  #closed = false;
  /** Whether changes of other instances have been received at least once. */
  #wasConnected = false;
  #invalidations = 0;

  constructor(settings: CacheSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#l1 = new L1Store(settings);
    const { l2 } = settings;
    this.#shared = l2 && new SharedTier<T>(l2, settings, (change) => this.#handleChange(change));
    this.#wasConnected = this.#shared?.connected === true;
    this.#loads = new Loads(this.#l1, settings, this.#shared);
    this.#reads = new Reads(settings, this.#l1, this.#loads);
    observe(this);
  }

  peek(key: string): T | undefined {
    return this.#reads.peek(storageKey(key));
  }

  get(key: string): Promise<T | undefined> {
    try {
      return this.#assertOpen().#reads.get(storageKey(key));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  getOrLoad<R extends T | undefined = T>(key: string, loader: Loader<T, R>, options?: LoadOptions): Promise<R | T> {
    try {
      const id = storageKey(key);
      const value = options?.fresh === true ? undefined : this.#reads.freshHit(id);
      if (value !== undefined) return Promise.resolve(value);
      return this.#getOrLoad(id, key, loader, options ?? NO_OPTIONS) as Promise<R | T>;
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async getMany(keys: Iterable<string>): Promise<Map<string, T>> {
    this.#assertOpen();
    const wanted = distinctKeys('getMany.keys', keys);
    return presentValues(wanted, await this.#reads.getMany(wanted.map(storageKey)));
  }

  async getOrLoadMany(
    keys: Iterable<string>,
    loader: LoaderOfMany<T>,
    options: LoadOptions = NO_OPTIONS,
  ): Promise<Map<string, T>> {
    this.#assertOpen();
    assertFunction('getOrLoadMany.loader', loader);
    assertLoadOptions('getOrLoadMany', options);
    const wanted = distinctKeys('getOrLoadMany.keys', keys);
    return loadMany(this.#reads, this.#loads.slots, wanted, loader, copyOptions(options), this.#l1.position);
  }

  async set(key: string, value: T | undefined, options: SetOptions = NO_OPTIONS): Promise<boolean> {
    this.#assertOpen();
    assertSetOptions('set', options);
    const { isolation, negativeTtlMs, ttlMs } = this.#settings;
    const id = storageKey(key);
    const stored = value === undefined ? undefined : isolateForStorage(value, isolation);
    const encoded = stored === undefined ? undefined : this.#shared?.envelopes.encode(stored);
    this.#loads.detach(id);
    const effectiveTtlMs = options.ttlMs ?? (stored === null ? negativeTtlMs : ttlMs);
    if (stored === undefined || effectiveTtlMs === 0) {
      this.#l1.memory.delete(id);
      return this.#shared === undefined || this.#shared.invalidator.endKeys([id], 'invalidated');
    }
    const { position } = this.#l1;
    const bytes = approximateBytes(stored);
    const tags = [...(options.tags ?? [])];
    const loaded = { value: stored, ttlMs: effectiveTtlMs, tags, validator: '', position, loadMs: 0, bytes };
    const { freshForMs } = this.#l1.store(id, loaded, this.#shared?.retention);
    if (this.#shared === undefined) return true;
    // Too large for the shared tier, which may still store an older value.
    if (encoded === undefined) return this.#shared.invalidator.endKeys([id], 'invalidated');
    const staleForMs = stored === null ? 0 : maxStaleMs(this.#settings);
    return this.#shared.write(id, encoded, { freshForMs, staleForMs, tags, validator: '', loadMs: 0 });
  }

  async invalidate(keys: Iterable<string> | string): Promise<boolean> {
    return this.#assertOpen().#endKeys(storageKeys('invalidate.keys', keys), 'invalidated');
  }

  async expire(keys: Iterable<string> | string): Promise<boolean> {
    return this.#assertOpen().#endKeys(storageKeys('expire.keys', keys), 'expired');
  }

  async invalidateTags(tags: readonly string[]): Promise<boolean> {
    assertTags('invalidateTags.tags', tags, Infinity);
    return this.#assertOpen().#endTags(tags, 'invalidated');
  }

  async expireTags(tags: readonly string[]): Promise<boolean> {
    assertTags('expireTags.tags', tags, Infinity);
    return this.#assertOpen().#endTags(tags, 'expired');
  }

  async clear(): Promise<boolean> {
    this.#assertOpen().#invalidations++;
    this.#dropAll();
    return this.#shared === undefined || this.#shared.invalidator.clear();
  }

  warm(
    keys: AsyncIterable<string> | Iterable<string>,
    loader: LoaderOfMany<T>,
    options: WarmOptions = {},
  ): Promise<WarmResult> {
    return warm(this, keys, loader, options);
  }

  inspect(key: string): EntryState | undefined {
    const id = storageKey(key);
    const entry = this.#l1.memory.peek(id);
    if (entry === undefined || !this.#l1.applyMarks(entry)) return undefined;
    return entryState(entry, this.#settings.clock.monotonic(), this.#loads.get(id) !== undefined);
  }

  describe(): string {
    return describeCache(this.#settings);
  }

  stats(): CacheStats {
    return cacheStats(this.#l1, this.#reads, this.#loads, this.#shared, this.#invalidations);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#loads.close(this.name);
    this.#l1.memory.clear();
    await this.#shared?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): this {
    if (this.#closed) throw closedError(this.name);
    return this;
  }

  async #endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    this.#invalidations += ids.length;
    for (const id of ids) this.#drop(id, how);
    return this.#shared === undefined || ids.length === 0 || this.#shared.invalidator.endKeys(ids, how);
  }

  async #endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    this.#invalidations += tags.length;
    this.#l1.markTags(tags, how);
    return this.#shared === undefined || tags.length === 0 || this.#shared.invalidator.endTags(tags, how);
  }

  #drop(id: string, how: Ending): void {
    this.#loads.detach(id);
    if (how === 'invalidated') this.#l1.memory.delete(id);
    else this.#l1.expire(id);
  }

  #dropAll(): void {
    this.#loads.detachAll();
    this.#l1.memory.clear();
  }

  /** Applies a change made by another instance. It starts no load: the next reader does. */
  #handleChange(change: TierChange): void {
    if (change.kind === 'keys') for (const id of change.keys) this.#drop(id, change.how);
    else if (change.kind === 'gap') this.#dropAll();
    else if (change.kind === 'disconnected') this.#l1.limitFreshness(WHILE_DISCONNECTED.maxFreshMs);
    else if (change.kind === 'connected') this.#handleConnected();
    else {
      for (const { tag, how } of change.marks.marks) {
        if (tag === '') this.#dropAll();
        else this.#l1.markTags([tag], how);
      }
    }
  }

  /**
   * Changes of other instances arrive from now on. Changes made before the first connection are not in the part of the
   * log that is read, so entries, lookups and unleased loads from that time are dropped.
   */
  #handleConnected(): void {
    if (!this.#wasConnected) {
      this.#loads.detachUnleased();
      this.#l1.memory.clear();
    }
    this.#wasConnected = true;
    this.#l1.liftFreshnessLimit();
  }

  #getOrLoad(id: string, key: string, loader: Loader<T, T | undefined>, options: LoadOptions): Promise<unknown> {
    this.#assertOpen();
    assertFunction('getOrLoad.loader', loader);
    assertLoadOptions('getOrLoad', options);
    return this.#reads.read({
      id,
      key,
      load: loader as (context: FlightContext<T>) => unknown,
      loadAlone: loader as (context: FlightContext<T>) => unknown,
      options: options === NO_OPTIONS ? options : copyOptions(options),
      takesSlot: true,
      batch: undefined,
      position: this.#l1.position,
    });
  }
}
