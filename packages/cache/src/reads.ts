import { abortable, currentWork, isMacadamError, type Clock } from '@macadam/core';
import { annotateWait } from './annotate-wait.ts';
import { freshnessOf, type Entry } from './entry.ts';
import { CacheLoaderError, isClosedError } from './errors.ts';
import type { Flight, FlightContext, LoadOutcome, Members } from './flight.ts';
import { handedValue } from './isolation.ts';
import type { Loads } from './loads.ts';
import type { Memory } from './memory.ts';
import type { CacheSettings, LoadOptions } from './options.ts';
import type { Shelf } from './shelf.ts';

/** One read that may load. */
export interface Read<T> {
  /** The key as it is kept, and as the caller wrote it. */
  readonly id: string;
  readonly key: string;
  readonly load: (context: FlightContext<T>) => unknown;
  /** How to load when the load it waited for turned out to be older than an invalidation. */
  readonly reload: (context: FlightContext<T>) => unknown;
  readonly options: LoadOptions;
  /** See `LoadOrder.gated`. */
  readonly gated: boolean;
  /** See `LoadOrder.batch`. */
  readonly batch: Members | undefined;
  /** How many tag invalidations there had been when it came: it must not see what any of them ended. */
  readonly position: number;
}

/** Answers reads: from what there is, by waiting for a load, or with a stale value when that is slow or fails. */
export class Reads<T> {
  readonly #settings: CacheSettings;
  readonly #shelf: Shelf<T>;
  readonly #loads: Loads<T>;
  // What a hit needs, within reach.
  readonly #memory: Memory<T>;
  readonly #clock: Clock;
  readonly #clones: boolean;
  hits = 0;
  staleHits = 0;
  misses = 0;
  joined = 0;

  constructor(settings: CacheSettings, shelf: Shelf<T>, loads: Loads<T>) {
    this.#settings = settings;
    this.#shelf = shelf;
    this.#loads = loads;
    this.#memory = shelf.memory;
    this.#clock = settings.clock;
    this.#clones = settings.isolation === 'clone';
  }

  /** The fresh value in memory. */
  peek(id: string): T | undefined {
    const entry = this.#memory.get(id);
    if (entry !== undefined && (entry.checkedAt === this.#shelf.position || this.#shelf.judge(entry))) {
      if (isBefore(this.#clock, entry.freshUntil)) {
        this.hits++;
        return this.#hand(entry.value);
      }
    }
    this.misses++;
    return undefined;
  }

  /** The fresh value in any tier. */
  get(id: string): Promise<T | undefined> {
    const value = this.peek(id);
    const { lookUps } = this.#loads;
    if (value !== undefined || lookUps === undefined) return Promise.resolve(value);
    const found = lookUps.get(id);
    return this.#clones ? found.then((shared) => this.#handFound(shared)) : found;
  }

  /** The fresh values in any tier, in the order of their keys, of which there is none twice. */
  async getMany(ids: readonly string[]): Promise<readonly (T | undefined)[]> {
    const values = ids.map((id) => this.peek(id));
    const { lookUps } = this.#loads;
    const missing = ids.filter((_, i) => values[i] === undefined);
    if (lookUps === undefined || missing.length === 0) return values;
    const found = await lookUps.getMany(missing);
    let next = 0;
    return values.map((value) => (value === undefined ? this.#handFound(found[next++]) : value));
  }

  /** The fresh value in memory, unless there is anything to do about it: one look-up and one comparison. */
  hit(id: string): T | undefined {
    const entry = this.#memory.get(id);
    if (entry === undefined || entry.checkedAt !== this.#shelf.position) return undefined;
    if (!isBefore(this.#clock, entry.refreshAt)) return undefined;
    this.hits++;
    return this.#hand(entry.value);
  }

  /**
   * Begins its load, if it needs one, before it returns.
   * @throws what the caller's signal was aborted with, at once
   */
  read(read: Read<T>): Promise<T | undefined> {
    const { id, options } = read;
    options.signal?.throwIfAborted();
    const now = this.#clock.monotonic();
    const entry = this.#shelf.find(id, now);
    if (entry !== undefined && options.fresh !== true) {
      const freshness = freshnessOf(entry, now);
      const inBackoff = now < entry.retryAt;
      if (freshness !== 'staleIfError' || inBackoff) {
        if (freshness === 'fresh') this.hits++;
        else this.staleHits++;
        if (now >= entry.refreshAt && !inBackoff && this.#loads.get(id) === undefined)
          this.#start(read, entry, now, true);
        return Promise.resolve(this.#hand(entry.value));
      }
    }
    this.misses++;
    const flight = this.#join(id, options) ?? this.#start(read, entry, now, false);
    const work = currentWork();
    if (work === undefined) return this.#wait(read, flight);
    return this.#wait(read, flight).finally(() => {
      annotateWait(work, this.#settings.clock.monotonic() - now, flight.begunAt !== undefined);
    });
  }

  #join(id: string, options: LoadOptions): Flight<T> | undefined {
    const flight = this.#loads.get(id);
    if (flight === undefined) return undefined;
    // Who asks for what is current now cannot take what was asked for before, nor what may come from the shared tier.
    if (options.fresh === true && (!flight.loads || flight.begunAt !== undefined)) return undefined;
    this.joined++;
    return flight;
  }

  #start(read: Read<T>, stale: Entry<T> | undefined, at: number, background: boolean): Flight<T> {
    const { id, key, load, reload, options, gated, batch } = read;
    const fresh = options.fresh === true;
    return this.#loads.start({ id, key, load, reload, options, gated, batch, fresh, stale, at, background });
  }

  #wait(read: Read<T>, flight: Flight<T>): Promise<T | undefined> {
    const { options } = read;
    if (options.fresh === true) {
      return this.#attached(flight.outcome, options).then((outcome) => this.#end(read, flight, outcome));
    }
    // There may be a stale value, or be one later: from the shared tier. Undefined: the time for waiting is over, and the load is not.
    return this.#attached(flight.soon, options).then((outcome) => {
      if (outcome !== undefined) return this.#end(read, flight, outcome);
      const spare = this.#spare(flight);
      if (spare !== undefined) return this.#serveStale(spare);
      return this.#attached(flight.outcome, options).then((later) => this.#end(read, flight, later));
    });
  }

  /** What comes of the load for one of those who waited for it. */
  #end(read: Read<T>, flight: Flight<T>, outcome: LoadOutcome<T>): Promise<T | undefined> | T | undefined {
    if (outcome.ok) {
      const { outdated, value } = outcome;
      // Only the newest mark of a tag is known: who came after any mark may have come after one of this value's tags.
      if (!outdated || read.position <= flight.position) return value === undefined ? value : this.#hand(value);
      // A load that begins now is younger than that, so this happens once at most.
      return this.read({ ...read, load: read.reload, gated: true, batch: undefined });
    }
    const spare = read.options.fresh === true ? undefined : this.#spare(flight);
    if (spare !== undefined) return this.#serveStale(spare);
    const { error, reason } = outcome;
    const { name } = this.#settings;
    if (isMacadamError(error, 'MAC_CACHE_VALUE') || isClosedError(error, name)) throw error;
    throw new CacheLoaderError(name, reason, error);
  }

  /** Waits until the caller or the work it runs for leaves. */
  #attached<R>(promise: Promise<R>, { signal }: LoadOptions): Promise<R> {
    const work = currentWork();
    const cancels = work?.deadline === undefined ? work?.cancellation : work.signal;
    return abortable(abortable(promise, signal), cancels);
  }

  /** What may serve in place of the flight's result: what is kept now, or what was there when it began. */
  #spare(flight: Flight<T>): Entry<T> | undefined {
    const now = this.#clock.monotonic();
    const kept = this.#shelf.find(flight.key, now);
    if (kept !== undefined) return kept;
    const { stale } = flight;
    // It may have been evicted meanwhile; that alone does not make it unfit.
    if (stale === undefined || !this.#shelf.judge(stale)) return undefined;
    return freshnessOf(stale, now) === 'dead' ? undefined : stale;
  }

  #serveStale(entry: Entry<T>): T {
    this.staleHits++;
    return this.#hand(entry.value);
  }

  #handFound(value: T | undefined): T | undefined {
    return value === undefined ? value : this.#hand(value);
  }

  #hand(value: T): T {
    return this.#clones ? handedValue(value, 'clone') : value;
  }
}

/** Until this long before its end, an entry is judged by the time of a moment ago. */
const FAR_MS = 1_000;

/**
 * Whether `until` is to come. Asking the time costs twice what looking up an entry does, so it is asked only near the end: a
 * recent time does where what it may be behind by cannot matter.
 */
function isBefore(clock: Clock, until: number): boolean {
  if (clock.recently !== undefined && clock.recently() < until - FAR_MS) return true;
  return clock.monotonic() < until;
}
