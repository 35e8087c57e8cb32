import { assertFunction } from '@macadam/core';
import { Batch } from './batch.ts';
import type { Cache, CacheStats, EntryState, Loader, LoaderOfMany, WarmOptions, WarmResult } from './cache.ts';
import { describeCache, stateOf } from './describe.ts';
import { CacheClosedError } from './errors.ts';
import type { FlightContext } from './flight.ts';
import { observe } from './instruments.ts';
import { keptValue } from './isolation.ts';
import { keysOf, storageKey } from './key.ts';
import { Loads } from './loads.ts';
import { assertLoadOptions, assertSetOptions, NO_OPTIONS } from './options.ts';
import type { CacheSettings, LoadOptions, SetOptions } from './options.ts';
import { Reads } from './reads.ts';
import { Shelf } from './shelf.ts';
import { assertTags } from './tag-marks.ts';
import { approximateBytes } from './value-size.ts';
import { warm } from './warm.ts';

/** The parts put together: what is kept (`Shelf`), what is being loaded (`Loads`), and how reads are answered (`Reads`). */
export class LoadingCache<T> implements Cache<T> {
  readonly name: string;
  readonly #settings: CacheSettings;
  readonly #shelf: Shelf<T>;
  readonly #loads: Loads<T>;
  readonly #reads: Reads<T>;
  #closed = false;
  #invalidations = 0;

  constructor(settings: CacheSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#shelf = new Shelf(settings);
    this.#loads = new Loads(this.#shelf, settings);
    this.#reads = new Reads(settings, this.#shelf, this.#loads);
    observe(this);
  }

  peek(key: string): T | undefined {
    return this.#reads.peek(storageKey(key));
  }

  get(key: string): Promise<T | undefined> {
    return new Promise((resolve) => resolve(this.#opened().peek(key)));
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

  getMany(keys: Iterable<string>): Promise<Map<string, T>> {
    return new Promise((resolve) => {
      const found = new Map<string, T>();
      for (const key of new Set(keys)) {
        const value = this.#opened().peek(key);
        if (value !== undefined) found.set(key, value);
      }
      resolve(found);
    });
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
      again.send();
      return value;
    };
    const { position } = this.#shelf;
    const wanted = [...new Set(keys)].map((key) => [key, storageKey(key)] as const);
    const reads = wanted.map(async ([key, id]) => {
      const read = { id, key, load: batch.load, reload, options, gated: false, position };
      return [key, await this.#reads.read(read)] as const;
    });
    batch.send();
    const values = new Map<string, T>();
    for (const [key, value] of await Promise.all(reads)) if (value !== undefined) values.set(key, value);
    return values;
  }

  async set(key: string, value: T | undefined, options: SetOptions = NO_OPTIONS): Promise<void> {
    this.#opened();
    assertSetOptions('set', options);
    const { isolation, negativeTtlMs, ttlMs } = this.#settings;
    const id = storageKey(key);
    const kept = value === undefined ? undefined : keptValue(value, isolation);
    this.#loads.detach(id);
    const livesMs = options.ttlMs ?? (kept === null ? negativeTtlMs : ttlMs);
    if (kept === undefined || livesMs === 0) this.#shelf.memory.delete(id);
    else {
      const { position } = this.#shelf;
      const bytes = approximateBytes(kept);
      this.#shelf.put(id, { value: kept, ttlMs: livesMs, tags: [...(options.tags ?? [])], position, loadMs: 0, bytes });
    }
  }

  async invalidate(keys: Iterable<string> | string): Promise<void> {
    for (const id of keysOf(keys)) {
      this.#invalidations++;
      this.#loads.detach(id);
      this.#shelf.memory.delete(id);
    }
  }

  async expire(keys: Iterable<string> | string): Promise<void> {
    for (const id of keysOf(keys)) {
      this.#invalidations++;
      this.#loads.detach(id);
      this.#shelf.expire(id);
    }
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    assertTags('invalidateTags.tags', tags, Infinity);
    this.#invalidations += tags.length;
    this.#shelf.markTags(tags, 'invalidated');
  }

  async expireTags(tags: readonly string[]): Promise<void> {
    assertTags('expireTags.tags', tags, Infinity);
    this.#invalidations += tags.length;
    this.#shelf.markTags(tags, 'expired');
  }

  async clear(): Promise<void> {
    this.#invalidations++;
    this.#loads.detachAll();
    this.#shelf.memory.clear();
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
    const { memory, markedTags } = this.#shelf;
    const { hits, staleHits, misses, joined } = this.#reads;
    const { loads, refreshes, failures, timeouts, fenced, inFlight } = this.#loads;
    return {
      hits,
      staleHits,
      misses,
      joined,
      loads,
      refreshes,
      loadFailures: failures,
      loadTimeouts: timeouts,
      fenced,
      invalidations: this.#invalidations,
      evictions: memory.evictions,
      oversized: memory.oversized,
      entries: memory.size,
      bytes: memory.bytes,
      inFlight,
      tags: markedTags,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#loads.close(this.name);
    this.#shelf.memory.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #opened(): this {
    if (this.#closed) throw new CacheClosedError(this.name);
    return this;
  }

  async #getOrLoad(id: string, key: string, loader: Loader<T, T | undefined>, options: LoadOptions): Promise<unknown> {
    this.#opened();
    assertFunction('getOrLoad.loader', loader);
    assertLoadOptions('getOrLoad', options);
    const load = loader as (context: FlightContext<T>) => unknown;
    return this.#reads.read({ id, key, load, reload: load, options, gated: true, position: this.#shelf.position });
  }
}
