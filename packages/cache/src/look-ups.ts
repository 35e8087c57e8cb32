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
  readonly #open = new InFlight<Promise<T | undefined>>();

  constructor(shelf: Shelf<T>, shared: SharedTier<T>) {
    this.#shelf = shelf;
    this.#shared = shared;
  }

  /** The fresh value in the tier. */
  get(id: string): Promise<T | undefined> {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const { position } = this.#shelf;
    const shared = this.#shared;
    // What is ended here and not there yet is not read.
    if (shared.isUnsettled(id)) return Promise.resolve(undefined);
    const lookUp = new Promise<T | undefined>((resolve) => {
      shared.look(id, false, shared.tier.timeoutMs, (found) => {
        const current = this.#open.get(id) === lookUp;
        if (current) this.#open.delete(id);
        resolve(this.#take(id, found, position, current));
      });
    });
    this.#open.set(id, lookUp);
    return lookUp;
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
