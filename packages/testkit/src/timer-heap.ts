/** An entry of a {@link TimerHeap}, ordered by `dueMs` and then by `order`. `place` is written by the heap only. */
export interface HeapEntry {
  readonly dueMs: number;
  readonly order: number;
  place: number;
}

/**
 * A binary heap whose entries know their place, so that they can be removed in O(log n). A simulation cancels nearly every
 * timer it sets, such as the timeout of each call that succeeds, and cancelled timers must not accumulate.
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
    this.#siftUp(entry, this.#entries.length - 1);
  }

  /** Removes an entry; returns false if it is not in the heap. */
  remove(entry: T): boolean {
    const place = entry.place;
    if (place < 0) return false;
    entry.place = -1;
    const last = this.#entries.pop() as T;
    if (last !== entry) {
      this.#siftUp(last, place);
      this.#siftDown(last, last.place);
    }
    return true;
  }

  /** Returns all entries in order. Copies and sorts them, so only for error messages. */
  sorted(): T[] {
    return this.#entries.toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #siftUp(entry: T, from: number): void {
    const entries = this.#entries;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = entries[above] as T;
      if (!isBefore(entry, parent)) break;
      entries[place] = parent;
      parent.place = place;
      place = above;
    }
    entries[place] = entry;
    entry.place = place;
  }

  #siftDown(entry: T, from: number): void {
    const entries = this.#entries;
    const size = entries.length;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && isBefore(entries[below + 1] as T, entries[below] as T)) below++;
      const child = entries[below] as T;
      if (!isBefore(child, entry)) break;
      entries[place] = child;
      child.place = place;
      place = below;
    }
    entries[place] = entry;
    entry.place = place;
  }
}

function isBefore(a: HeapEntry, b: HeapEntry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
