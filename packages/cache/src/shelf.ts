import type { Clock, Random } from '@macadam/core';
import { entryOf, expireEntry, freshnessOf, type Entry, type Lifetimes, type Loaded } from './entry.ts';
import { Memory, type MemoryOptions } from './memory.ts';
import { TagMarks, type Mark } from './tag-marks.ts';

export interface ShelfSettings extends Lifetimes {
  readonly clock: Clock;
  readonly random: Random;
  readonly l1: Required<MemoryOptions>;
}

/** Invalidated tags remembered in one process. */
const MOST_MARKED_TAGS = 10_000;

/** The entries in memory, judged against the tags that were invalidated since they were loaded. */
export class Shelf<T> {
  readonly memory: Memory<T>;
  readonly #settings: ShelfSettings;
  readonly #invalidated = new TagMarks(MOST_MARKED_TAGS);
  readonly #expired = new TagMarks(MOST_MARKED_TAGS);
  /** How many tags have been invalidated or expired: the place in the order of all such events. */
  position = 0;

  constructor(settings: ShelfSettings) {
    this.#settings = settings;
    this.memory = new Memory(settings.l1);
  }

  get markedTags(): number {
    return this.#invalidated.size + this.#expired.size;
  }

  /** The entry, if it may serve in some role; counts as used. */
  find(key: string, now: number): Entry<T> | undefined {
    const entry = this.memory.get(key);
    if (entry === undefined) return undefined;
    if (this.judge(entry) && freshnessOf(entry, now) !== 'dead') return entry;
    this.memory.delete(key);
    return undefined;
  }

  /** Applies what happened to the entry's tags since it was last judged. False when it must not serve again. */
  judge(entry: Entry<T>): boolean {
    if (entry.removed) return false;
    if (entry.checkedAt === this.position) return true;
    if (this.#invalidated.newest(entry.tags).position > entry.position) return false;
    const expired = this.#expired.newest(entry.tags);
    if (expired.position > Math.max(entry.position, entry.expiredAt)) {
      expireEntry(entry, Math.max(expired.at, entry.storedAt), this.#settings);
      entry.expiredAt = expired.position;
    }
    entry.checkedAt = this.position;
    return true;
  }

  put(key: string, loaded: Loaded<T>): void {
    const { clock, random } = this.#settings;
    this.memory.set(key, entryOf(loaded, clock.monotonic(), this.#settings, random));
  }

  expire(key: string): void {
    const entry = this.memory.look(key);
    if (entry !== undefined) expireEntry(entry, this.#settings.clock.monotonic(), this.#settings);
  }

  markTags(tags: readonly string[], how: 'expired' | 'invalidated'): void {
    const marks = how === 'expired' ? this.#expired : this.#invalidated;
    const at = this.#settings.clock.monotonic();
    for (const tag of tags) marks.mark(tag, { position: ++this.position, at });
  }

  /** What happened to the tags after `position`: a load that began there must not be kept. */
  markedSince(position: number, tags: readonly string[]): { invalidated?: Mark; expired?: Mark } {
    const [invalidated, expired] = [this.#invalidated.newest(tags), this.#expired.newest(tags)];
    return {
      ...(invalidated.position > position && { invalidated }),
      ...(expired.position > position && { expired }),
    };
  }
}
