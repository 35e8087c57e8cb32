import type { Entry } from './entry.ts';
import { InFlightMap } from './in-flight-map.ts';
import type { LookupResult } from './lookup-result.ts';
import { approximateBytes } from './value-size.ts';
import type { SharedTier } from './shared-tier.ts';
import type { L1Store } from './l1-store.ts';

/**
 * Lookups in the shared tier for reads that do not load (`get`, `getMany`): concurrent reads of a key share one lookup.
 * If the key is invalidated during the lookup, its readers still get the value, and nothing is stored in memory.
 */
export class CoalescedLookups<T> {
  readonly #l1: L1Store<T>;
  readonly #shared: SharedTier<T>;
  /** The callbacks that wait for the lookup of each key. */
  readonly #waiters = new InFlightMap<((value: T | undefined) => void)[]>();

  constructor(l1: L1Store<T>, shared: SharedTier<T>) {
    this.#l1 = l1;
    this.#shared = shared;
  }

  /** Returns the fresh value in the tier. */
  get(id: string): Promise<T | undefined> {
    return new Promise((resolve) => this.#lookup(id, resolve));
  }

  /**
   * Returns the fresh values in the tier, in the order of the keys. One promise per key would cost about as much as
   * finding its value.
   */
  getMany(ids: readonly string[]): Promise<readonly (T | undefined)[]> {
    return new Promise((resolve) => {
      const values: (T | undefined)[] = ids.map(() => undefined);
      let pending = ids.length;
      for (const [i, id] of ids.entries()) {
        this.#lookup(id, (value) => {
          values[i] = value;
          if (--pending === 0) resolve(values);
        });
      }
    });
  }

  /** Calls back in the turn of the event loop in which the result arrives. */
  #lookup(id: string, onValue: (value: T | undefined) => void): void {
    const waiters = this.#waiters.get(id);
    if (waiters !== undefined) {
      waiters.push(onValue);
      return;
    }
    const { position, memory } = this.#l1;
    const before = memory.peek(id);
    const shared = this.#shared;
    const ownWaiters = [onValue];
    this.#waiters.set(id, ownWaiters);
    shared.lookup(id, false, shared.tier.timeoutMs, (found) => {
      const current = this.#waiters.get(id) === ownWaiters;
      if (current) this.#waiters.delete(id);
      const value = this.#accept(id, found, position, current, before);
      for (const notify of ownWaiters) notify(value);
    });
  }

  detach(id: string): void {
    this.#waiters.delete(id);
  }

  detachAll(): void {
    this.#waiters.clear();
  }

  #accept(
    id: string,
    found: LookupResult<T>,
    position: number,
    current: boolean,
    before: Entry<T> | undefined,
  ): T | undefined {
    if (found.state !== 'value') return undefined;
    const { invalidated, expired } = this.#l1.markedSince(position, found.tags);
    if (invalidated !== undefined || expired !== undefined) return undefined;
    // A load may have stored a newer value in the meantime. An entry that was there before is not fresh: otherwise nobody
    // would have looked in the tier.
    const entry = this.#l1.memory.peek(id);
    const mayStore = entry === undefined || (entry === before && found.freshForMs > 0);
    if (current && mayStore && this.#l1.memory.isEnabled) {
      const bytes = approximateBytes(found.value);
      this.#l1.storeShared(id, { ...found, position, bytes }, this.#shared.retention);
    }
    return found.freshForMs > 0 ? found.value : undefined;
  }
}
