import { approximateBytes } from './value-size.ts';
import type { SharedTier } from './shared-tier.ts';
import type { Shelf } from './shelf.ts';

/**
 * Reads of the shared tier that load nothing: one a key at a time. One that an invalidation has met is still answered, and
 * leaves nothing in memory.
 */
export class LookUps<T> {
  readonly #shelf: Shelf<T>;
  readonly #shared: SharedTier<T>;
  readonly #open = new Map<string, Promise<T | undefined>>();

  constructor(shelf: Shelf<T>, shared: SharedTier<T>) {
    this.#shelf = shelf;
    this.#shared = shared;
  }

  /** The fresh value in the tier. */
  get(id: string): Promise<T | undefined> {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const lookUp = this.#lookUp(id, () => this.#open.get(id) === lookUp);
    this.#open.set(id, lookUp);
    return lookUp;
  }

  detach(id: string): void {
    this.#open.delete(id);
  }

  detachAll(): void {
    this.#open.clear();
  }

  async #lookUp(id: string, isCurrent: () => boolean): Promise<T | undefined> {
    const { position } = this.#shelf;
    const shared = this.#shared;
    const found = await shared.read(id, undefined, shared.tier.timeoutMs);
    const current = isCurrent();
    if (current) this.#open.delete(id);
    if (found.state !== 'value') return undefined;
    const { invalidated, expired } = this.#shelf.markedSince(position, found.tags);
    if (invalidated !== undefined || expired !== undefined) return undefined;
    // A load may have put a newer value in place meanwhile.
    if (current && this.#shelf.memory.keeps && this.#shelf.memory.look(id) === undefined) {
      const bytes = approximateBytes(found.value);
      this.#shelf.adopt(id, { ...found, position, bytes }, shared.freshInMemoryMs);
    }
    return found.freshForMs > 0 ? found.value : undefined;
  }
}
