import { AsyncResource } from 'node:async_hooks';
import { runAtRoot } from '@macadam/core';
import { recordFailure } from './entry.ts';
import { closedError, type LoaderReason } from './errors.ts';
import { FlightContext } from './flight-context.ts';
import { Flight, loadTimeoutError } from './flight.ts';
import { InFlightMap } from './in-flight-map.ts';
import { recordLoad } from './instruments.ts';
import { isolateForStorage } from './isolation.ts';
import type { CacheSettings } from './options.ts';
import type { LoadRequest } from './load-request.ts';
import { LoadSlots, NoSlot } from './load-slots.ts';
import { LoadTimeouts } from './load-timeouts.ts';
import { CoalescedLookups } from './coalesced-lookups.ts';
import type { SharedTier } from './shared-tier.ts';
import type { L1Store } from './l1-store.ts';
import { SharedLoads } from './shared-loads.ts';
import { MAX_TAGS } from './tag-marks.ts';
import { approximateBytes } from './value-size.ts';

/**
 * The loads in flight: at most one current load per key, within a time limit and a number of slots. Stores their
 * results, unless an invalidation has overtaken the load (fencing).
 */
export class Loads<T> {
  readonly #l1: L1Store<T>;
  readonly #settings: CacheSettings;
  readonly #flights = new InFlightMap<Flight<T>>();
  /** Loads cut off by an invalidation or replaced by a `fresh` load; they still settle their own callers. */
  readonly #detached = new Set<Flight<T>>();
  readonly #timeouts: LoadTimeouts;
  readonly slots: LoadSlots;
  loads = 0;
  refreshes = 0;
  failures = 0;
  timeouts = 0;
  fenced = 0;
  readonly #onTimeout = (flight: Flight<T>): void => this.#timeOut(flight);
  readonly #shared: SharedTier<T> | undefined;
  readonly lookups: CoalescedLookups<T> | undefined;
  readonly sharedLoads: SharedLoads<T> | undefined;

  constructor(l1: L1Store<T>, settings: CacheSettings, shared: SharedTier<T> | undefined) {
    this.#l1 = l1;
    this.#settings = settings;
    this.#shared = shared;
    this.lookups = shared && new CoalescedLookups(l1, shared);
    this.sharedLoads = shared && new SharedLoads(l1, shared, settings, this);
    this.#timeouts = new LoadTimeouts(settings);
    this.slots = new LoadSlots(settings);
  }

  get inFlight(): number {
    return this.#flights.size + this.#detached.size;
  }

  get(id: string): Flight<T> | undefined {
    return this.#flights.get(id);
  }

  start(request: LoadRequest<T>): Flight<T> {
    const flight = this.#createFlight(request);
    this.detach(request.id);
    this.#flights.set(request.id, flight);
    request.batch?.join();
    // A background load runs at the root: each pending promise would otherwise retain the async context of the caller
    // that happened to start it.
    if (request.background) runAtRoot(() => this.#loadOrLookup(flight, request));
    else this.#loadOrLookup(flight, request);
    return flight;
  }

  #loadOrLookup(flight: Flight<T>, request: LoadRequest<T>): void {
    if (this.sharedLoads === undefined) this.startLoader(flight, request);
    else this.sharedLoads.start(flight, request);
  }

  /** Cuts the load of a key off from the cache: its callers still get the result, but it is not stored. */
  detach(id: string): void {
    this.lookups?.detach(id);
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    // The stale value that the load remembers may be the one that was invalidated. Its callers may fall back only on an
    // entry that is stored from now on.
    flight.stale = undefined;
    this.#flights.delete(id);
    this.#detached.add(flight);
  }

  detachAll(): void {
    this.lookups?.detachAll();
    for (const { key } of this.#flights.values()) this.detach(key);
  }

  /**
   * Cuts off what only received changes could reveal as invalidated in the meantime: lookups, and running loads without
   * a lease.
   */
  detachUnleased(): void {
    this.lookups?.detachAll();
    for (const { key, startedAt, willLoad, lease } of this.#flights.values()) {
      const isWaitingForSlot = willLoad && startedAt === undefined;
      if (lease === undefined && !isWaitingForSlot) this.detach(key);
    }
  }

  close(name: string): void {
    this.lookups?.detachAll();
    for (const flight of [...this.#flights.values(), ...this.#detached]) {
      const error = closedError(name);
      this.#fail(flight, error);
      flight.cancel(error);
    }
  }

  #createFlight({ id, stale, background, requestedAt, fresh }: LoadRequest<T>): Flight<T> {
    const flight = new Flight<T>(id, this.#l1.position, stale, this.#onTimeout);
    flight.willLoad = fresh;
    // The loader runs in the async context and trace of the caller, however long it waits for a slot or a lease first.
    if (!background) flight.asyncScope = new AsyncResource('MacadamLoad');
    this.#timeouts.start(flight, requestedAt);
    if (stale !== undefined) this.startSoftTimeout(flight, this.#settings.loaderSoftTimeoutMs);
    return flight;
  }

  /** From now on, callers wait at most `waitMs` before they get the stale value. */
  startSoftTimeout(flight: Flight<T>, waitMs: number): void {
    this.#timeouts.startSoft(flight, waitMs);
  }

  /** Calls the loader as soon as a slot is free. */
  startLoader(flight: Flight<T>, request: LoadRequest<T>): void {
    flight.willLoad = true;
    if (!request.takesSlot && !flight.hasLeftBatch) {
      this.#callLoader(flight, request, request.load);
      flight.leaveBatch(request.batch);
      return;
    }
    // A batch that was sent without this key cannot load it any more.
    const load = request.takesSlot ? request.load : request.loadAlone;
    const loadInSlot = (): Promise<unknown> => {
      if (!flight.settled) this.#callLoader(flight, request, load);
      // Settles at the timeout, so that a loader that ignores its signal frees its slot too.
      return flight.outcome;
    };
    this.slots.run(loadInSlot, (error) => this.#fail(flight, error));
  }

  #callLoader(flight: Flight<T>, request: LoadRequest<T>, load: LoadRequest<T>['load']): void {
    flight.startedAt = this.#settings.clock.monotonic();
    flight.epochPosition = this.#shared?.epochPosition ?? '';
    this.loads++;
    if (request.background) this.refreshes++;
    const { key, options } = request;
    const stale = request.stale ?? flight.stale;
    const context = new FlightContext<T>(key, flight, options.tags ?? [], stale, this.#settings.isolation);
    flight
      .runLoader(() => new Promise((resolve) => resolve(load(context))))
      .then(
        (value) => this.#succeed(flight, context, value as T | undefined, request),
        (error: unknown) => this.#fail(flight, error),
      );
  }

  #succeed(flight: Flight<T>, context: FlightContext<T>, loaded: T | undefined, request: LoadRequest<T>): void {
    if (flight.settled) return;
    const { ttlMs, negativeTtlMs, isolation, clock } = this.#settings;
    let value: T | undefined;
    let encoded: Uint8Array | undefined;
    try {
      const { notModifiedEntry } = context;
      if (notModifiedEntry !== undefined) value = notModifiedEntry.value;
      else value = loaded === undefined ? undefined : isolateForStorage(loaded, isolation);
      if (value !== undefined) encoded = this.#shared?.envelopes.encode(value);
    } catch (error) {
      this.#fail(flight, error);
      return;
    }
    const current = this.finish(flight);
    const loadMs = clock.monotonic() - (flight.startedAt as number);
    recordLoad(this.#settings.name, clock, flight.startedAt as number, 'ok');
    const tags = context.allTags;
    const validator = context.validator || (context.notModifiedEntry?.validator ?? '');
    const marked = this.#l1.markedSince(flight.position, tags);
    flight.settle({ ok: true, value, outdated: marked.invalidated !== undefined });
    if (!current || marked.invalidated !== undefined || marked.expired !== undefined) {
      this.fenced++;
      this.sharedLoads?.releaseLease(flight);
      return;
    }
    const effectiveTtlMs = context.ttlMs ?? (value === null ? negativeTtlMs : (request.options.ttlMs ?? ttlMs));
    // A result that must not be stored still shows that the stored value is outdated. With too many tags, the next load
    // has no stale value that brings in older ones.
    if (value === undefined || context.skipped || effectiveTtlMs === 0 || tags.length > MAX_TAGS) {
      this.#l1.memory.delete(flight.key);
      this.sharedLoads?.finishWithoutStoring(flight, request.fresh || flight.stale !== undefined);
      return;
    }
    const { position, key } = flight;
    const bytes = approximateBytes(value) + validator.length * 2;
    const loadedValue = { value, ttlMs: effectiveTtlMs, tags, validator, position, loadMs, bytes };
    const stored = this.#l1.store(key, loadedValue, this.#shared?.retention);
    if (encoded === undefined) this.sharedLoads?.finishWithoutStoring(flight, request.fresh);
    else void this.sharedLoads?.fill(flight, encoded, loadedValue, stored);
  }

  #fail(flight: Flight<T>, error: unknown, reason: LoaderReason = 'failed'): void {
    if (flight.settled) return;
    if (error instanceof NoSlot) {
      this.#fail(flight, error.cause, 'refused');
      return;
    }
    if (reason === 'timeout') this.timeouts++;
    else this.failures++;
    this.sharedLoads?.releaseLease(flight);
    const { clock, random, name } = this.#settings;
    const { startedAt } = flight;
    if (startedAt !== undefined) recordLoad(name, clock, startedAt, reason);
    if (this.finish(flight)) {
      const entry = this.#l1.memory.peek(flight.key);
      if (entry !== undefined) recordFailure(entry, clock.monotonic(), random);
    }
    flight.settle({ ok: false, reason, error });
  }

  #timeOut(flight: Flight<T>): void {
    const error = loadTimeoutError(this.#settings.loaderTimeoutMs);
    this.#fail(flight, error, 'timeout');
    flight.cancel(error);
  }

  /** Whether it is still the current load of its key. */
  isCurrent(flight: Flight<T>): boolean {
    return this.#flights.get(flight.key) === flight;
  }

  /** Removes the flight and its timers. Returns whether it was still the current load of its key. */
  finish(flight: Flight<T>): boolean {
    this.#timeouts.stop(flight);
    const current = this.isCurrent(flight);
    if (current) this.#flights.delete(flight.key);
    else this.#detached.delete(flight);
    return current;
  }
}
