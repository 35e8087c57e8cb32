import { assertFunction } from '@macadam/core';
import { Batch, present } from './batch.ts';
import type { Cache, CacheStats, EntryState, Loader, LoaderOfMany, WarmOptions, WarmResult } from './cache.ts';
import { cacheStats } from './cache-stats.ts';
import { describeCache, stateOf } from './describe.ts';
import { closedError } from './errors.ts';
import type { FlightContext } from './flight.ts';
import { longestStaleMs } from './entry.ts';
import { observe } from './instruments.ts';
import { keptValue } from './isolation.ts';
import { distinctKeys, keysOf, storageKey } from './key.ts';
import { Loads } from './loads.ts';
import { assertLoadOptions, assertSetOptions, NO_OPTIONS } from './options.ts';
import type { CacheSettings, LoadOptions, SetOptions } from './options.ts';
import { Reads } from './reads.ts';
import { Shelf } from './shelf.ts';
import { assertTags } from './tag-marks.ts';
import { approximateBytes } from './value-size.ts';
import { DISCONNECTED, SharedTier } from './shared-tier.ts';
import type { Ending, TierChange } from './tier.ts';
import { warm } from './warm.ts';

/** The parts put together: what is kept (`Shelf`), what is being loaded (`Loads`), and how reads are answered (`Reads`). */
export class LoadingCache<T> implements Cache<T> {
  readonly name: string;
  readonly #settings: CacheSettings;
  readonly #shelf: Shelf<T>;
  readonly #shared: SharedTier<T> | undefined;
  readonly #loads: Loads<T>;
  readonly #reads: Reads<T>;
  #closed = false;
  /** It has been heard what others do, at some time. */
  #followed = false;
  #invalidations = 0;

  constructor(settings: CacheSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#shelf = new Shelf(settings);
    const { l2 } = settings;
    this.#shared = l2 && new SharedTier<T>(l2, settings, (change) => this.#hear(change));
    this.#followed = this.#shared?.connected === true;
    this.#loads = new Loads(this.#shelf, settings, this.#shared);
    this.#reads = new Reads(settings, this.#shelf, this.#loads);
    observe(this);
  }

  peek(key: string): T | undefined {
    return this.#reads.peek(storageKey(key));
  }

  get(key: string): Promise<T | undefined> {
    try {
      return this.#opened().#reads.get(storageKey(key));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  getOrLoad<R extends T | undefined = T>(key: string, loader: Loader<T, R>, options?: LoadOptions): Promise<R | T> {
    try {
      const id = storageKey(key);
      const value = options?.fresh === true ? undefined : this.#reads.hit(id);
      if (value !== undefined) return Promise.resolve(value);
      return this.#getOrLoad(id, key, loader, options ?? NO_OPTIONS) as Promise<R | T>;
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async getMany(keys: Iterable<string>): Promise<Map<string, T>> {
    this.#opened();
    const wanted = distinctKeys('getMany.keys', keys);
    return present(wanted, await this.#reads.getMany(wanted.map(storageKey)));
  }

  async getOrLoadMany(
    keys: Iterable<string>,
    loader: LoaderOfMany<T>,
    options: LoadOptions = NO_OPTIONS,
  ): Promise<Map<string, T>> {
    this.#opened();
    assertFunction('getOrLoadMany.loader', loader);
    assertLoadOptions('getOrLoadMany', options);
    const batch = new Batch(loader, this.#loads.places);
    const reload = (context: FlightContext<T>): unknown => {
      const again = new Batch(loader, this.#loads.places);
      const value = again.load(context);
      again.leave();
      return value;
    };
    const { position } = this.#shelf;
    const wanted = distinctKeys('getOrLoadMany.keys', keys);
    // Also what one of them throws at once must find the others waited for.
    const reads = wanted.map(async (key) => {
      const id = storageKey(key);
      return this.#reads.read({ id, key, load: batch.load, reload, options, gated: false, batch, position });
    });
    batch.leave();
    return present(wanted, await Promise.all(reads));
  }

  async set(key: string, value: T | undefined, options: SetOptions = NO_OPTIONS): Promise<boolean> {
    this.#opened();
    assertSetOptions('set', options);
    const { isolation, negativeTtlMs, ttlMs } = this.#settings;
    const id = storageKey(key);
    const kept = value === undefined ? undefined : keptValue(value, isolation);
    const raw = kept === undefined ? undefined : this.#shared?.envelopes.encode(kept);
    this.#loads.detach(id);
    const livesMs = options.ttlMs ?? (kept === null ? negativeTtlMs : ttlMs);
    if (kept === undefined || livesMs === 0) {
      this.#shelf.memory.delete(id);
      return this.#shared === undefined || this.#shared.endings.endKeys([id], 'invalidated');
    }
    const { position } = this.#shelf;
    const bytes = approximateBytes(kept);
    const tags = [...(options.tags ?? [])];
    const loaded = { value: kept, ttlMs: livesMs, tags, validator: '', position, loadMs: 0, bytes };
    const { freshForMs } = this.#shelf.put(id, loaded, this.#shared?.stay);
    if (this.#shared === undefined) return true;
    // Too large for the tier, where an older value may stand.
    if (raw === undefined) return this.#shared.endings.endKeys([id], 'invalidated');
    const staleForMs = kept === null ? 0 : longestStaleMs(this.#settings);
    return this.#shared.write(id, raw, { freshForMs, staleForMs, tags, validator: '', loadMs: 0 });
  }

  async invalidate(keys: Iterable<string> | string): Promise<boolean> {
    return this.#opened().#endKeys(keysOf('invalidate.keys', keys), 'invalidated');
  }

  async expire(keys: Iterable<string> | string): Promise<boolean> {
    return this.#opened().#endKeys(keysOf('expire.keys', keys), 'expired');
  }

  async invalidateTags(tags: readonly string[]): Promise<boolean> {
    assertTags('invalidateTags.tags', tags, Infinity);
    return this.#opened().#endTags(tags, 'invalidated');
  }

  async expireTags(tags: readonly string[]): Promise<boolean> {
    assertTags('expireTags.tags', tags, Infinity);
    return this.#opened().#endTags(tags, 'expired');
  }

  async clear(): Promise<boolean> {
    this.#opened().#invalidations++;
    this.#forgetAll();
    return this.#shared === undefined || this.#shared.endings.endEverything();
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
    const entry = this.#shelf.memory.look(id);
    if (entry === undefined || !this.#shelf.judge(entry)) return undefined;
    return stateOf(entry, this.#settings.clock.monotonic(), this.#loads.get(id) !== undefined);
  }

  describe(): string {
    return describeCache(this.#settings);
  }

  stats(): CacheStats {
    return cacheStats(this.#shelf, this.#reads, this.#loads, this.#shared, this.#invalidations);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#loads.close(this.name);
    this.#shelf.memory.clear();
    await this.#shared?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #opened(): this {
    if (this.#closed) throw closedError(this.name);
    return this;
  }

  async #endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    this.#invalidations += ids.length;
    for (const id of ids) this.#forget(id, how);
    return this.#shared === undefined || ids.length === 0 || this.#shared.endings.endKeys(ids, how);
  }

  async #endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    this.#invalidations += tags.length;
    this.#shelf.markTags(tags, how);
    return this.#shared === undefined || tags.length === 0 || this.#shared.endings.endTags(tags, how);
  }

  #forget(id: string, how: Ending): void {
    this.#loads.detach(id);
    if (how === 'invalidated') this.#shelf.memory.delete(id);
    else this.#shelf.expire(id);
  }

  #forgetAll(): void {
    this.#loads.detachAll();
    this.#shelf.memory.clear();
  }

  /** What others have done. Nothing is loaded for it: whoever wants to read again will. */
  #hear(change: TierChange): void {
    if (change.kind === 'keys') for (const id of change.keys) this.#forget(id, change.how);
    else if (change.kind === 'gap') this.#forgetAll();
    else if (change.kind === 'disconnected') this.#shelf.limitFreshness(DISCONNECTED.freshMs);
    else if (change.kind === 'connected') this.#follow();
    else {
      for (const { tag, how } of change.marks.marks) {
        if (tag === '') this.#forgetAll();
        else this.#shelf.markTags([tag], how);
      }
    }
  }

  /** From now on it is heard what others do. What they did before it was heard for the first time is never caught up with. */
  #follow(): void {
    if (!this.#followed) {
      this.#loads.detachUnleased();
      this.#shelf.memory.clear();
    }
    this.#followed = true;
    this.#shelf.endLimit();
  }

  #getOrLoad(id: string, key: string, loader: Loader<T, T | undefined>, options: LoadOptions): Promise<unknown> {
    this.#opened();
    assertFunction('getOrLoad.loader', loader);
    assertLoadOptions('getOrLoad', options);
    const load = loader as (context: FlightContext<T>) => unknown;
    const { position } = this.#shelf;
    return this.#reads.read({ id, key, load, reload: load, options, gated: true, batch: undefined, position });
  }
}
