import { freshnessOf, longestStaleMs, type Entry, type Loaded } from './entry.ts';
import type { Flight } from './flight.ts';
import type { LoadOrder } from './load-order.ts';
import type { CacheSettings } from './options.ts';
import type { Found, FoundValue } from './found.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Kept, Shelf } from './shelf.ts';
import { isNews, lookForTurn, takeTurn, type Turn } from './take-turn.ts';
import { approximateBytes } from './value-size.ts';

/** How long a stale value serves without another look whether somebody has loaded it anew. */
const WAIVED_MS = 250;

/** The loads in flight, as far as turns go. */
export interface Deck<T> {
  enter(flight: Flight<T>, order: LoadOrder<T>): void;
  limitWait(flight: Flight<T>, waitMs: number): void;
  isCurrent(flight: Flight<T>): boolean;
  land(flight: Flight<T>): boolean;
}

/** What loads have to do with the shared tier: before them, the value or the turn to load it; after them, storing it. */
export class Turns<T> {
  readonly #shelf: Shelf<T>;
  readonly #shared: SharedTier<T>;
  readonly #settings: CacheSettings;
  readonly #deck: Deck<T>;
  /** Loads that another instance had taken upon itself, for which a stale value served here. */
  waived = 0;
  /** Results that the tier refused: an invalidation, or a newer load, had ended their lease. */
  refused = 0;

  constructor(shelf: Shelf<T>, shared: SharedTier<T>, settings: CacheSettings, deck: Deck<T>) {
    this.#shelf = shelf;
    this.#shared = shared;
    this.#settings = settings;
    this.#deck = deck;
  }

  /** Asks the tier, which may have the value, or somebody who loads it; and lets the flight go accordingly. */
  wait(flight: Flight<T>, order: LoadOrder<T>): void {
    const { id, stale, fresh } = order;
    if (fresh) void this.#takeFresh(flight, order);
    else {
      lookForTurn(this.#shared, id, stale, (found) => {
        const isDone = found.state === 'value' && isNews(found, stale, this.#settings.clock);
        if (isDone) this.#go(flight, order, { kind: 'loaded', found });
        else void this.#take(flight, this.#trusted(flight, order, found), found);
      });
    }
  }

  /**
   * Where it is not heard what others end, it shows by what the tier does not have: what is kept here of that may have been ended,
   * and serves no more.
   */
  #trusted(flight: Flight<T>, order: LoadOrder<T>, found: Found<T>): LoadOrder<T> {
    const { id, stale } = order;
    const isNothing = found.state === 'leased' || found.state === 'held' || found.state === 'ended';
    if (stale === undefined || !isNothing || this.#shared.connected === true) return order;
    stale.removed = true;
    if (this.#shelf.memory.look(id) === stale) this.#shelf.memory.delete(id);
    flight.stale = undefined;
    return { ...order, stale: undefined };
  }

  /** Nothing that was loaded before will do: it takes the lease from whoever has it. */
  async #takeFresh(flight: Flight<T>, order: LoadOrder<T>): Promise<void> {
    const taken = await this.#shared.take(order.id, true);
    const lease = taken.state === 'leased' ? taken.lease : undefined;
    this.#go(flight, order, { kind: 'load', lease, spare: undefined });
  }

  async #take(flight: Flight<T>, order: LoadOrder<T>, found: Found<T>): Promise<void> {
    const { clock, random } = this.#settings;
    const { id, stale, batch } = order;
    const isOpen = (): boolean => !flight.settled;
    const onWait = (): void => flight.leave(batch);
    this.#go(flight, order, await takeTurn(this.#shared, { id, stale, isOpen, onWait }, found, clock, random));
  }

  #go(flight: Flight<T>, order: LoadOrder<T>, turn: Turn<T>): void {
    const { id, stale, batch } = order;
    if (flight.settled) {
      if (turn.kind === 'load') this.#shared.giveBack(id, turn.lease);
      flight.leave(batch);
    } else if (turn.kind === 'load') {
      flight.lease = turn.lease;
      if (turn.spare !== undefined) this.#offer(flight, turn.spare);
      this.#deck.enter(flight, order);
    } else {
      flight.leave(batch);
      if (turn.kind === 'loaded') this.#deliver(flight, turn.found);
      else this.#waive(flight, stale, turn.found);
    }
  }

  /** Stores what was loaded, if the flight has the lease. Never rejects. */
  async fill(flight: Flight<T>, raw: Uint8Array, loaded: Loaded<T>, kept: Kept<T>): Promise<void> {
    const { key, lease, stamp } = flight;
    if (lease === undefined) return;
    const { tags, validator, loadMs, value } = loaded;
    const staleForMs = value === null ? 0 : longestStaleMs(this.#settings);
    const facts = { tags, validator, loadMs, freshForMs: kept.freshForMs, staleForMs, position: stamp };
    if ((await this.#shared.fill(key, lease, raw, facts)) !== 'refused') return;
    // Whoever ended the lease has ended what was loaded under it, also here, where the news may not have come yet.
    this.refused++;
    if (this.#shelf.memory.look(key) === kept.entry) this.#shelf.memory.delete(key);
  }

  /** Stores nothing. What the tier has may be older, also when nobody looked there, as before a load that is asked for fresh. */
  pass(flight: Flight<T>, mayReplace: boolean): void {
    if (mayReplace) void this.#shared.endings.endKeys([flight.key], 'invalidated');
    else this.giveBack(flight);
  }

  giveBack({ key, lease }: Flight<T>): void {
    this.#shared.giveBack(key, lease);
  }

  /** Another instance has loaded the value. */
  #deliver(flight: Flight<T>, found: FoundValue<T>): void {
    // Sizing up a value costs more than handing it over.
    if (this.#deck.land(flight) && this.#shelf.memory.keeps) this.#adopt(flight, found);
    this.#settle(flight, found.value, found.tags);
  }

  /** Somebody loads it, and there is a stale value, which serves until then. */
  #waive(flight: Flight<T>, stale: Entry<T> | undefined, found: FoundValue<T> | undefined): void {
    this.waived++;
    const current = this.#deck.land(flight);
    const entry = stale ?? (found && current ? this.#adopt(flight, found) : undefined);
    if (entry !== undefined) entry.retryAt = this.#settings.clock.monotonic() + WAIVED_MS;
    const serves = entry ?? (found as FoundValue<T>);
    this.#settle(flight, serves.value, serves.tags);
  }

  /** A stale value of the tier: for who waits, and for who comes while it is loaded anew. */
  #offer(flight: Flight<T>, spare: FoundValue<T>): void {
    if (flight.stale !== undefined || !this.#deck.isCurrent(flight)) return;
    flight.stale = this.#adopt(flight, spare);
    const { clock, loaderSoftTimeoutMs } = this.#settings;
    const isSpare = freshnessOf(flight.stale, clock.monotonic()) === 'staleIfError';
    this.#deck.limitWait(flight, isSpare ? loaderSoftTimeoutMs : 0);
  }

  /** What was marked since the flight began is found out when the entry is read. */
  #adopt({ key, position }: Flight<T>, found: FoundValue<T>): Entry<T> {
    const bytes = approximateBytes(found.value);
    return this.#shelf.adopt(key, { ...found, position, bytes }, this.#shared.stay).entry;
  }

  #settle(flight: Flight<T>, value: T, tags: readonly string[]): void {
    const { invalidated } = this.#shelf.markedSince(flight.position, tags);
    flight.settle({ ok: true, value, outdated: invalidated !== undefined });
  }
}
