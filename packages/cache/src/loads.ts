import { AsyncResource } from 'node:async_hooks';
import { ExpiryQueue, runAtRoot } from '@macadam/core';
import { bulkhead, type Policy } from '@macadam/resilience';
import { noteFailure } from './entry.ts';
import { closedError, type LoaderReason } from './errors.ts';
import { Flight, FlightContext, outOfTime, SoftLimit } from './flight.ts';
import { InFlight } from './in-flight.ts';
import { recordLoad } from './instruments.ts';
import { handedValue, keptValue } from './isolation.ts';
import type { CacheSettings } from './options.ts';
import type { LoadOrder } from './load-order.ts';
import { LookUps } from './look-ups.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Shelf } from './shelf.ts';
import { Turns } from './turns.ts';
import { approximateBytes } from './value-size.ts';

/** Loads that may wait for their turn. Each has callers or a stale value behind it, and ends with its time limit. */
const MOST_WAITING = 100_000;

/** The loads in flight: one a key, within their time limits, and what becomes of their results. */
export class Loads<T> {
  readonly #shelf: Shelf<T>;
  readonly #settings: CacheSettings;
  readonly #flights = new InFlight<Flight<T>>();
  /** Those that an invalidation has cut off, or that a newer one has replaced. */
  readonly #detached = new Set<Flight<T>>();
  readonly #limits: ExpiryQueue;
  readonly places: Policy;
  loads = 0;
  refreshes = 0;
  failures = 0;
  timeouts = 0;
  fenced = 0;
  readonly #onTimeout = (flight: Flight<T>): void => this.#timeOut(flight);
  readonly #shared: SharedTier<T> | undefined;
  readonly lookUps: LookUps<T> | undefined;
  readonly turns: Turns<T> | undefined;

  constructor(shelf: Shelf<T>, settings: CacheSettings, shared: SharedTier<T> | undefined) {
    this.#shelf = shelf;
    this.#settings = settings;
    this.#shared = shared;
    this.lookUps = shared && new LookUps(shelf, shared);
    this.turns = shared && new Turns(shelf, shared, settings, this);
    const { clock, maxConcurrentLoads, loaderTimeoutMs } = settings;
    this.#limits = new ExpiryQueue(clock);
    this.places = bulkhead({
      maxConcurrent: maxConcurrentLoads,
      maxQueued: MOST_WAITING,
      queueTimeoutMs: loaderTimeoutMs,
      clock,
    });
  }

  get inFlight(): number {
    return this.#flights.size + this.#detached.size;
  }

  get(id: string): Flight<T> | undefined {
    return this.#flights.get(id);
  }

  start(order: LoadOrder<T>): Flight<T> {
    const flight = this.#begin(order);
    this.detach(order.id);
    this.#flights.set(order.id, flight);
    order.batch?.enter();
    // Every promise that is waited for keeps what travels with who waits.
    if (order.background) runAtRoot(() => this.#go(flight, order));
    else this.#go(flight, order);
    return flight;
  }

  #go(flight: Flight<T>, order: LoadOrder<T>): void {
    if (this.turns === undefined) this.enter(flight, order);
    else this.turns.wait(flight, order);
  }

  /** Cuts the load of a key off from the cache: it goes on for those who wait for it. */
  detach(id: string): void {
    this.lookUps?.detach(id);
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    // Callers may only fall back on what is kept from now on: what it remembers may be what was invalidated.
    flight.stale = undefined;
    this.#flights.delete(id);
    this.#detached.add(flight);
  }

  detachAll(): void {
    this.lookUps?.detachAll();
    for (const { key } of this.#flights.values()) this.detach(key);
  }

  /** Cuts off what is being loaded without a lease, of which nothing but news tells that it was ended. */
  detachUnleased(): void {
    for (const { key, begunAt, lease } of this.#flights.values()) {
      if (begunAt !== undefined && lease === undefined) this.detach(key);
    }
  }

  close(name: string): void {
    for (const flight of [...this.#flights.values(), ...this.#detached]) {
      const error = closedError(name);
      this.#fail(flight, 'failed', error);
      flight.cancel(error);
    }
  }

  #begin({ id, stale, background, at, fresh }: LoadOrder<T>): Flight<T> {
    const flight = new Flight<T>(id, this.#shelf.position, stale, this.#onTimeout);
    flight.loads = fresh;
    // The loader is part of what the caller does, and of its trace, whoever it has to wait for before it is called.
    if (!background) flight.scope = new AsyncResource('MacadamLoad');
    const { loaderTimeoutMs, loaderSoftTimeoutMs } = this.#settings;
    flight.expiresAt = at + loaderTimeoutMs;
    this.#limits.add(flight, at);
    if (stale !== undefined) this.limitWait(flight, loaderSoftTimeoutMs);
    return flight;
  }

  /** Who has a stale value waits no longer than this. */
  limitWait(flight: Flight<T>, waitMs: number): void {
    const { clock, loaderTimeoutMs } = this.#settings;
    if (waitMs >= loaderTimeoutMs) return;
    const now = clock.monotonic();
    flight.softLimit = new SoftLimit(flight);
    flight.softLimit.expiresAt = now + waitMs;
    this.#limits.add(flight.softLimit, now);
  }

  /** Has it loaded, when it is its turn. */
  enter(flight: Flight<T>, order: LoadOrder<T>): void {
    flight.loads = true;
    if (!order.gated && !flight.left) {
      this.#call(flight, order, order.load);
      flight.leave(order.batch);
      return;
    }
    // A batch that has gone without it will not take it in.
    const load = order.gated ? order.load : order.reload;
    const turn = (): unknown => {
      if (!flight.settled) this.#call(flight, order, load);
      // The place is given back when the time is up, also by a loader that does not listen.
      return flight.outcome;
    };
    this.places.execute(turn).catch((error: unknown) => this.#fail(flight, 'refused', error));
  }

  #call(flight: Flight<T>, order: LoadOrder<T>, load: LoadOrder<T>['load']): void {
    const begunAt = this.#settings.clock.monotonic();
    flight.begunAt = begunAt;
    flight.stamp = this.#shared?.stamp ?? '';
    this.loads++;
    if (order.background) this.refreshes++;
    const { key, options } = order;
    const stale = order.stale ?? flight.stale;
    const former = stale && {
      value: handedValue(stale.value, this.#settings.isolation),
      ageMs: begunAt - stale.storedAt,
      ...(stale.validator !== '' && { validator: stale.validator }),
    };
    const context = new FlightContext<T>(key, flight, options.tags ?? [], stale, former);
    flight
      .within(() => new Promise((resolve) => resolve(load(context))))
      .then(
        (value) => this.#succeed(flight, context, value as T | undefined, order),
        (error: unknown) => this.#fail(flight, 'failed', error),
      );
  }

  #succeed(flight: Flight<T>, context: FlightContext<T>, loaded: T | undefined, order: LoadOrder<T>): void {
    if (flight.settled) return;
    const { ttlMs, negativeTtlMs, isolation, clock } = this.#settings;
    let value: T | undefined;
    let raw: Uint8Array | undefined;
    try {
      const { unchanged } = context;
      if (unchanged !== undefined) value = unchanged.value;
      else value = loaded === undefined ? undefined : keptValue(loaded, isolation);
      if (value !== undefined) raw = this.#shared?.envelopes.encode(value);
    } catch (error) {
      this.#fail(flight, 'failed', error);
      return;
    }
    const current = this.land(flight);
    const loadMs = clock.monotonic() - (flight.begunAt as number);
    recordLoad(this.#settings.name, clock, flight.begunAt as number, 'ok');
    const tags = (context.tags.length === 0 && context.unchanged?.tags) || context.tags;
    const validator = context.validator || (context.unchanged?.validator ?? '');
    const marked = this.#shelf.markedSince(flight.position, tags);
    flight.settle({ ok: true, value, outdated: marked.invalidated !== undefined });
    if (!current || marked.invalidated !== undefined || marked.expired !== undefined) {
      this.fenced++;
      this.turns?.giveBack(flight);
      return;
    }
    const livesMs = context.ttlMs ?? (value === null ? negativeTtlMs : (order.options.ttlMs ?? ttlMs));
    // A load that says "not to be kept" still says that what was kept is no longer so.
    if (value === undefined || context.skipped || livesMs === 0) {
      this.#shelf.memory.delete(flight.key);
      this.turns?.pass(flight, order.fresh || flight.stale !== undefined);
      return;
    }
    const { position, key } = flight;
    const bytes = approximateBytes(value) + validator.length * 2;
    const what = { value, ttlMs: livesMs, tags, validator, position, loadMs, bytes };
    const kept = this.#shelf.put(key, what, this.#shared?.stay);
    if (raw === undefined) this.turns?.pass(flight, order.fresh);
    else void this.turns?.fill(flight, raw, what, kept);
  }

  #fail(flight: Flight<T>, reason: LoaderReason, error: unknown): void {
    if (flight.settled) return;
    if (reason === 'timeout') this.timeouts++;
    else this.failures++;
    this.turns?.giveBack(flight);
    const { clock, random, name } = this.#settings;
    const { begunAt } = flight;
    if (begunAt !== undefined) recordLoad(name, clock, begunAt, reason);
    if (this.land(flight)) {
      const entry = this.#shelf.memory.look(flight.key);
      if (entry !== undefined) noteFailure(entry, clock.monotonic(), random);
    }
    flight.settle({ ok: false, reason, error });
  }

  #timeOut(flight: Flight<T>): void {
    const error = outOfTime(this.#settings.loaderTimeoutMs);
    this.#fail(flight, 'timeout', error);
    flight.cancel(error);
  }

  /** Whether it is still the one for its key. */
  isCurrent(flight: Flight<T>): boolean {
    return this.#flights.get(flight.key) === flight;
  }

  /** Ends the flight; whether it is still the one for its key. */
  land(flight: Flight<T>): boolean {
    this.#limits.remove(flight);
    if (flight.softLimit !== undefined) this.#limits.remove(flight.softLimit);
    const current = this.isCurrent(flight);
    if (current) this.#flights.delete(flight.key);
    else this.#detached.delete(flight);
    return current;
  }
}
