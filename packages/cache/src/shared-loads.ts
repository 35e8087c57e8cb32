import { freshnessOf, maxStaleMs, type Entry, type LoadedValue } from './entry.ts';
import type { Flight } from './flight.ts';
import type { LoadRequest } from './load-request.ts';
import type { CacheSettings } from './options.ts';
import type { LookupResult, TierValue } from './lookup-result.ts';
import type { SharedTier } from './shared-tier.ts';
import type { StoredEntry, L1Store } from './l1-store.ts';
import { isNewer, lookupForLoad, decideLoad, type LoadDecision } from './load-decision.ts';
import { approximateBytes } from './value-size.ts';

/** After a load was left to another process, how long the stale value is served before the tier is checked again. */
const WAIVED_PAUSE_MS = 250;

/** What `SharedLoads` needs from the loads in flight. */
export interface FlightControl<T> {
  startLoader(flight: Flight<T>, request: LoadRequest<T>): void;
  startSoftTimeout(flight: Flight<T>, waitMs: number): void;
  isCurrent(flight: Flight<T>): boolean;
  finish(flight: Flight<T>): boolean;
}

/**
 * Coordinates the loads of this process with those of others through the shared tier: before a load, gets the value or
 * the lease; after it, stores the result and ends the lease.
 */
export class SharedLoads<T> {
  readonly #l1: L1Store<T>;
  readonly #shared: SharedTier<T>;
  readonly #settings: CacheSettings;
  readonly #flights: FlightControl<T>;
  /** Loads that were left to another instance while a stale value was served here. */
  waived = 0;
  /** Results that the tier refused: an invalidation or a newer load had ended their lease. */
  refused = 0;

  constructor(l1: L1Store<T>, shared: SharedTier<T>, settings: CacheSettings, flights: FlightControl<T>) {
    this.#l1 = l1;
    this.#shared = shared;
    this.#settings = settings;
    this.#flights = flights;
  }

  /** Looks up the value in the tier first, and calls the loader only if this process is the one to load it. */
  start(flight: Flight<T>, request: LoadRequest<T>): void {
    const { id, stale, fresh } = request;
    if (fresh) void this.#startFresh(flight, request);
    else {
      lookupForLoad(this.#shared, id, stale, (found) => {
        const isLoaded = found.state === 'value' && isNewer(found, stale, this.#settings.clock);
        if (isLoaded) this.#proceed(flight, request, { kind: 'loaded', found });
        else void this.#decide(flight, this.#withoutUntrustedStale(flight, request, found), found);
      });
    }
  }

  /**
   * While changes of other instances do not arrive, an absent entry in the tier is a sign that the value was
   * invalidated: the stale value in memory is dropped.
   */
  #withoutUntrustedStale(flight: Flight<T>, request: LoadRequest<T>, found: LookupResult<T>): LoadRequest<T> {
    const { id, stale } = request;
    const isAbsent = found.state === 'leased' || found.state === 'held' || found.state === 'absent';
    if (stale === undefined || !isAbsent || this.#shared.connected === true) return request;
    stale.removed = true;
    if (this.#l1.memory.peek(id) === stale) this.#l1.memory.delete(id);
    flight.stale = undefined;
    return { ...request, stale: undefined };
  }

  /** For `fresh: true`: takes the lease from whoever holds it. */
  async #startFresh(flight: Flight<T>, request: LoadRequest<T>): Promise<void> {
    const leaseResult = await this.#shared.takeLease(request.id, true);
    const lease = leaseResult.state === 'leased' ? leaseResult.lease : undefined;
    this.#proceed(flight, request, { kind: 'load', lease, fallback: undefined });
  }

  async #decide(flight: Flight<T>, request: LoadRequest<T>, found: LookupResult<T>): Promise<void> {
    const { clock, random } = this.#settings;
    const { id, stale, batch } = request;
    const isInFlight = (): boolean => !flight.settled;
    const onWait = (): void => flight.leaveBatch(batch);
    this.#proceed(
      flight,
      request,
      await decideLoad(this.#shared, { id, stale, isInFlight, onWait }, found, clock, random),
    );
  }

  #proceed(flight: Flight<T>, request: LoadRequest<T>, decision: LoadDecision<T>): void {
    const { id, stale, batch } = request;
    if (flight.settled) {
      if (decision.kind === 'load') this.#shared.releaseLease(id, decision.lease);
      flight.leaveBatch(batch);
    } else if (decision.kind === 'load') {
      flight.lease = decision.lease;
      if (decision.fallback !== undefined) this.#offerFallback(flight, decision.fallback);
      this.#flights.startLoader(flight, request);
    } else {
      flight.leaveBatch(batch);
      if (decision.kind === 'loaded') this.#settleWithLoaded(flight, decision.found);
      else this.#settleWithStale(flight, stale, decision.found);
    }
  }

  /** Stores the loaded value in the tier if the flight has the lease. Never rejects. */
  async fill(flight: Flight<T>, encoded: Uint8Array, loaded: LoadedValue<T>, stored: StoredEntry<T>): Promise<void> {
    const { key, lease, epochPosition } = flight;
    if (lease === undefined) return;
    const { tags, validator, loadMs, value } = loaded;
    const staleForMs = value === null ? 0 : maxStaleMs(this.#settings);
    const metadata = { tags, validator, loadMs, freshForMs: stored.freshForMs, staleForMs, position: epochPosition };
    if ((await this.#shared.fill(key, lease, encoded, metadata)) !== 'refused') return;
    // Whatever ended the lease also ended the value that was loaded under it; the change itself may not have arrived
    // here yet.
    this.refused++;
    if (this.#l1.memory.peek(key) === stored.entry) this.#l1.memory.delete(key);
  }

  /**
   * Ends the load without storing a value. With `mayReplace`, whatever the tier stores is invalidated, since it is
   * older; a `fresh` load did not look.
   */
  finishWithoutStoring(flight: Flight<T>, mayReplace: boolean): void {
    if (mayReplace) void this.#shared.invalidator.endKeys([flight.key], 'invalidated');
    else this.releaseLease(flight);
  }

  releaseLease({ key, lease }: Flight<T>): void {
    this.#shared.releaseLease(key, lease);
  }

  /** Another instance has loaded the value: stores it in memory and settles the flight. */
  #settleWithLoaded(flight: Flight<T>, found: TierValue<T>): void {
    // Estimating the size of a value costs more than delivering it.
    if (this.#flights.finish(flight) && this.#l1.memory.isEnabled) this.#storeInMemory(flight, found);
    this.#settle(flight, found.value, found.tags);
  }

  /** Another instance is loading it: settles the flight with the stale value and pauses further lookups. */
  #settleWithStale(flight: Flight<T>, stale: Entry<T> | undefined, found: TierValue<T> | undefined): void {
    this.waived++;
    const current = this.#flights.finish(flight);
    const entry = stale ?? (found && current ? this.#storeInMemory(flight, found) : undefined);
    if (entry !== undefined) entry.retryAt = this.#settings.clock.monotonic() + WAIVED_PAUSE_MS;
    const served = entry ?? (found as TierValue<T>);
    this.#settle(flight, served.value, served.tags);
  }

  /** Makes a stale value of the tier available to present and later callers while the key is reloaded. */
  #offerFallback(flight: Flight<T>, fallback: TierValue<T>): void {
    if (flight.stale !== undefined || !this.#flights.isCurrent(flight)) return;
    flight.stale = this.#storeInMemory(flight, fallback);
    const { clock, loaderSoftTimeoutMs } = this.#settings;
    const isOnlyForErrors = freshnessOf(flight.stale, clock.monotonic()) === 'staleIfError';
    this.#flights.startSoftTimeout(flight, isOnlyForErrors ? loaderSoftTimeoutMs : 0);
  }

  /** Marks made since the flight started are applied when the entry is read. */
  #storeInMemory({ key, position }: Flight<T>, found: TierValue<T>): Entry<T> {
    const bytes = approximateBytes(found.value);
    return this.#l1.storeShared(key, { ...found, position, bytes }, this.#shared.retention).entry;
  }

  #settle(flight: Flight<T>, value: T, tags: readonly string[]): void {
    const { invalidated } = this.#l1.markedSince(flight.position, tags);
    flight.settle({ ok: true, value, outdated: invalidated !== undefined });
  }
}
