import { abortable, currentWork, isMacadamError, type Clock, type Work } from '@macadam/core';
import { annotateWait } from './annotate-wait.ts';
import { freshnessOf, type Entry } from './entry.ts';
import { CacheLoaderError, isClosedError } from './errors.ts';
import type { FlightContext } from './flight-context.ts';
import type { Flight, LoadOutcome, PendingBatch } from './flight.ts';
import { isolateForReader } from './isolation.ts';
import type { Loads } from './loads.ts';
import type { Memory } from './memory.ts';
import type { CacheSettings, LoadOptions } from './options.ts';
import type { L1Store } from './l1-store.ts';

/** One read that may load. */
export interface ReadRequest<T> {
  /** The storage key, and the key as the caller passed it. */
  readonly id: string;
  readonly key: string;
  readonly load: (context: FlightContext<T>) => unknown;
  /**
   * Loads this key without its batch. Used when the load that this read joined turned out to be older than an
   * invalidation.
   */
  readonly loadAlone: (context: FlightContext<T>) => unknown;
  readonly options: LoadOptions;
  /** See `LoadRequest.takesSlot`. */
  readonly takesSlot: boolean;
  /** See `LoadRequest.batch`. */
  readonly batch: PendingBatch | undefined;
  /**
   * The `L1Store.position` when the read arrived. It must not return a value that an earlier tag invalidation ended.
   */
  readonly position: number;
}

/**
 * Serves reads: from memory, from the shared tier, by waiting for a load, or with a stale value when the load is slow
 * or fails. Counts hits, stale hits, misses and joined loads.
 */
export class Reads<T> {
  readonly #settings: CacheSettings;
  readonly #l1: L1Store<T>;
  readonly #loads: Loads<T>;
  // Copied into fields because every hit needs them.
  readonly #memory: Memory<T>;
  readonly #clock: Clock;
  readonly #clonesOnRead: boolean;
  hits = 0;
  staleHits = 0;
  misses = 0;
  joined = 0;

  constructor(settings: CacheSettings, l1: L1Store<T>, loads: Loads<T>) {
    this.#settings = settings;
    this.#l1 = l1;
    this.#loads = loads;
    this.#memory = l1.memory;
    this.#clock = settings.clock;
    this.#clonesOnRead = settings.isolation === 'clone';
  }

  /** Returns the fresh value in memory. */
  peek(id: string): T | undefined {
    const entry = this.#memory.get(id);
    if (entry !== undefined && (entry.checkedPosition === this.#l1.position || this.#l1.applyMarks(entry))) {
      if (isBefore(this.#clock, entry.freshUntil)) {
        this.hits++;
        return this.#isolate(entry.value);
      }
    }
    this.misses++;
    return undefined;
  }

  /** Returns the fresh value from any tier. */
  get(id: string): Promise<T | undefined> {
    const value = this.peek(id);
    const { lookups } = this.#loads;
    if (value !== undefined || lookups === undefined) return Promise.resolve(value);
    const found = lookups.get(id);
    return this.#clonesOnRead ? found.then((shared) => this.#isolateFound(shared)) : found;
  }

  /** Returns the fresh values from any tier, in the order of `ids`, which must be distinct. */
  async getMany(ids: readonly string[]): Promise<readonly (T | undefined)[]> {
    const values = ids.map((id) => this.peek(id));
    const { lookups } = this.#loads;
    const missing = ids.filter((_, i) => values[i] === undefined);
    if (lookups === undefined || missing.length === 0) return values;
    const found = await lookups.getMany(missing);
    let next = 0;
    return values.map((value) => (value === undefined ? this.#isolateFound(found[next++]) : value));
  }

  /**
   * The fast path of a hit: one map lookup and one comparison. Undefined when there is no fresh value, or when it needs
   * work first: tag marks to apply, or an early refresh to start.
   */
  freshHit(id: string): T | undefined {
    const entry = this.#memory.get(id);
    if (entry === undefined || entry.checkedPosition !== this.#l1.position) return undefined;
    if (!isBefore(this.#clock, entry.refreshAt)) return undefined;
    this.hits++;
    return this.#isolate(entry.value);
  }

  /**
   * Reads one key and loads it if necessary. The load starts before this method returns.
   * @throws the abort reason of the caller's signal or work, synchronously, if it is already aborted
   */
  read(read: ReadRequest<T>): Promise<T | undefined> {
    const { id, options } = read;
    options.signal?.throwIfAborted();
    const now = this.#clock.monotonic();
    const entry = this.#l1.find(id, now);
    if (entry !== undefined && options.fresh !== true) {
      const freshness = freshnessOf(entry, now);
      const inBackoff = now < entry.retryAt;
      if (freshness !== 'staleIfError' || inBackoff) {
        if (freshness === 'fresh') this.hits++;
        else this.staleHits++;
        if (now >= entry.refreshAt && !inBackoff && this.#loads.get(id) === undefined)
          this.#start(read, entry, now, true);
        return Promise.resolve(this.#isolate(entry.value));
      }
    }
    this.misses++;
    const work = currentWork();
    signalOf(work)?.throwIfAborted();
    const flight = this.#join(id, options) ?? this.#start(read, entry, now, false);
    if (work === undefined) return this.#wait(read, flight);
    return this.#wait(read, flight).finally(() => {
      annotateWait(work, this.#settings.clock.monotonic() - now, flight.startedAt !== undefined);
    });
  }

  #join(id: string, options: LoadOptions): Flight<T> | undefined {
    const flight = this.#loads.get(id);
    if (flight === undefined) return undefined;
    // A `fresh` read cannot join a load whose loader has already been called, nor one that may be served from the
    // shared tier.
    if (options.fresh === true && (!flight.willLoad || flight.startedAt !== undefined)) return undefined;
    this.joined++;
    return flight;
  }

  #start(read: ReadRequest<T>, stale: Entry<T> | undefined, requestedAt: number, background: boolean): Flight<T> {
    const { id, key, load, loadAlone, options, takesSlot, batch } = read;
    const fresh = options.fresh === true;
    return this.#loads.start({
      id,
      key,
      load,
      loadAlone,
      options,
      takesSlot,
      batch,
      fresh,
      stale,
      requestedAt,
      background,
    });
  }

  #wait(read: ReadRequest<T>, flight: Flight<T>): Promise<T | undefined> {
    const { options } = read;
    if (options.fresh === true) {
      return this.#untilCallerLeaves(flight.outcome, options).then((outcome) => this.#finish(read, flight, outcome));
    }
    // A stale value may exist now, or arrive later from the shared tier. `undefined` means that the soft timeout has
    // passed while the load continues.
    return this.#untilCallerLeaves(flight.outcomeOrSoftTimeout, options).then((outcome) => {
      if (outcome !== undefined) return this.#finish(read, flight, outcome);
      const fallback = this.#staleFallback(flight);
      if (fallback !== undefined) return this.#serveStale(fallback);
      return this.#untilCallerLeaves(flight.outcome, options).then((later) => this.#finish(read, flight, later));
    });
  }

  /** The result of a load for one of the reads that waited for it. */
  #finish(read: ReadRequest<T>, flight: Flight<T>, outcome: LoadOutcome<T>): Promise<T | undefined> | T | undefined {
    if (outcome.ok) {
      const { outdated, value } = outcome;
      // Only the newest mark of each tag is remembered, so a read that arrived after any mark may have arrived after a
      // mark on this value.
      if (!outdated || read.position <= flight.position) return value === undefined ? value : this.#isolate(value);
      // The new load is newer than every mark so far, so this recurses at most once.
      return this.read({ ...read, load: read.loadAlone, takesSlot: true, batch: undefined });
    }
    const fallback = read.options.fresh === true ? undefined : this.#staleFallback(flight);
    if (fallback !== undefined) return this.#serveStale(fallback);
    const { error, reason } = outcome;
    const { name } = this.#settings;
    if (isMacadamError(error, 'MAC_CACHE_VALUE') || isClosedError(error, name)) throw error;
    throw new CacheLoaderError(name, reason, error);
  }

  /**
   * Rejects early when the caller aborts, or when the current unit of work is cancelled or reaches its deadline. The
   * load itself continues.
   */
  #untilCallerLeaves<R>(promise: Promise<R>, { signal }: LoadOptions): Promise<R> {
    return abortable(abortable(promise, signal), signalOf(currentWork()));
  }

  /**
   * The stale value to serve instead of the result of the load: the entry in memory now, or the one from when the load
   * started.
   */
  #staleFallback(flight: Flight<T>): Entry<T> | undefined {
    const now = this.#clock.monotonic();
    const entry = this.#l1.find(flight.key, now);
    if (entry !== undefined) return entry;
    const { stale } = flight;
    // It may have been evicted in the meantime, which does not make it unusable.
    if (stale === undefined || !this.#l1.applyMarks(stale)) return undefined;
    return freshnessOf(stale, now) === 'dead' ? undefined : stale;
  }

  #serveStale(entry: Entry<T>): T {
    this.staleHits++;
    return this.#isolate(entry.value);
  }

  #isolateFound(value: T | undefined): T | undefined {
    return value === undefined ? value : this.#isolate(value);
  }

  #isolate(value: T): T {
    return this.#clonesOnRead ? isolateForReader(value, 'clone') : value;
  }
}

/** Aborts when the work is cancelled or its deadline passes. */
function signalOf(work: Work | undefined): AbortSignal | undefined {
  return work?.deadline === undefined ? work?.cancellation : work.signal;
}

/** A coarse clock reading is trusted only while the limit is at least this far away. */
const COARSE_CLOCK_MARGIN_MS = 1_000;

/**
 * Whether `until` is in the future. Reading the exact time costs twice as much as finding an entry, so far from the
 * limit the coarse time (`clock.recently`) decides: its error cannot matter there.
 */
function isBefore(clock: Clock, until: number): boolean {
  if (clock.recently !== undefined && clock.recently() < until - COARSE_CLOCK_MARGIN_MS) return true;
  return clock.monotonic() < until;
}
