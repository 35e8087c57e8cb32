/** What the heap orders: by `dueMs`, and by `order` among equals. `place` belongs to the heap. */
export interface HeapEntry {
  readonly dueMs: number;
  readonly order: number;
  place: number;
}

/**
 * A binary heap whose entries know their place, so that cancelling is O(log n) too. A simulation cancels nearly every
 * timer it sets (a time limit on each call that succeeds), and must not drag the cancelled ones along.
 */
export class TimerHeap<T extends HeapEntry> {
  readonly #entries: T[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** The entry that is due first. */
  get first(): T | undefined {
    return this.#entries[0];
  }

  add(entry: T): void {
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  /** Takes the entry out; false when it is not in the heap. */
  remove(entry: T): boolean {
    const at = entry.place;
    if (at < 0) return false;
    entry.place = -1;
    const last = this.#entries.pop() as T;
    if (last !== entry) {
      this.#rise(last, at);
      this.#sink(last, last.place);
    }
    return true;
  }

  /** All entries in order. A copy: for messages, not for the hot path. */
  sorted(): T[] {
    return this.#entries.toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #rise(entry: T, from: number): void {
    const entries = this.#entries;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = entries[above] as T;
      if (!isBefore(entry, parent)) break;
      entries[at] = parent;
      parent.place = at;
      at = above;
    }
    entries[at] = entry;
    entry.place = at;
  }

  #sink(entry: T, from: number): void {
    const entries = this.#entries;
    const size = entries.length;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && isBefore(entries[below + 1] as T, entries[below] as T)) below++;
      const child = entries[below] as T;
      if (!isBefore(child, entry)) break;
      entries[at] = child;
      child.place = at;
      at = below;
    }
    entries[at] = entry;
    entry.place = at;
  }
}

function isBefore(a: HeapEntry, b: HeapEntry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
