import { approximateBytes } from './value-size.ts';
import type { Found } from './found.ts';
import { InFlight } from './in-flight.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Shelf } from './shelf.ts';

/**
 * Reads of the shared tier that load nothing: one a key at a time. One that an invalidation has met is still answered, and
 * leaves nothing in memory.
 */
export class LookUps<T> {
  readonly #shelf: Shelf<T>;
  readonly #shared: SharedTier<T>;
  /** Whoever waits, by key. */
  readonly #open = new InFlight<((value: T | undefined) => void)[]>();

  constructor(shelf: Shelf<T>, shared: SharedTier<T>) {
    this.#shelf = shelf;
    this.#shared = shared;
  }

  /** The fresh value in the tier. */
  get(id: string): Promise<T | undefined> {
    return new Promise((resolve) => this.#ask(id, resolve));
  }

  /** The fresh values in the tier, in the order of their keys. A promise for each would cost about as much as finding it. */
  getMany(ids: readonly string[]): Promise<readonly (T | undefined)[]> {
    return new Promise((resolve) => {
      const values: (T | undefined)[] = ids.map(() => undefined);
      let open = ids.length;
      for (const [i, id] of ids.entries()) {
        this.#ask(id, (value) => {
          values[i] = value;
          if (--open === 0) resolve(values);
        });
      }
    });
  }

  /** Tells who asks in the turn in which the answer comes. */
  #ask(id: string, onValue: (value: T | undefined) => void): void {
    const open = this.#open.get(id);
    if (open !== undefined) {
      open.push(onValue);
      return;
    }
    const { position } = this.#shelf;
    const shared = this.#shared;
    const waiting = [onValue];
    this.#open.set(id, waiting);
    shared.look(id, false, shared.tier.timeoutMs, (found) => {
      const current = this.#open.get(id) === waiting;
      if (current) this.#open.delete(id);
      const value = this.#take(id, found, position, current);
      for (const tell of waiting) tell(value);
    });
  }

  detach(id: string): void {
    this.#open.delete(id);
  }

  detachAll(): void {
    this.#open.clear();
  }

  #take(id: string, found: Found<T>, position: number, current: boolean): T | undefined {
    if (found.state !== 'value') return undefined;
    const { invalidated, expired } = this.#shelf.markedSince(position, found.tags);
    if (invalidated !== undefined || expired !== undefined) return undefined;
    // A load may have put a newer value in place meanwhile.
    if (current && this.#shelf.memory.keeps && this.#shelf.memory.look(id) === undefined) {
      const bytes = approximateBytes(found.value);
      this.#shelf.adopt(id, { ...found, position, bytes }, this.#shared.stay);
    }
    return found.freshForMs > 0 ? found.value : undefined;
  }
}
