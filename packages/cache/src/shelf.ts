import type { Clock, Random } from '@macadam/core';
import {
  endStaleness,
  entryOf,
  entryOfShared,
  expireEntry,
  freshnessOf,
  type Entry,
  type Lifetimes,
  type Loaded,
  type Shared,
} from './entry.ts';
import type { MemoryOptions } from './memory-options.ts';
import { Memory } from './memory.ts';
import { TagMarks, type Mark } from './tag-marks.ts';
import type { Coherence } from './tier.ts';
import { isWellFormed } from './well-formed.ts';

export interface ShelfSettings extends Lifetimes {
  readonly clock: Clock;
  readonly random: Random;
  readonly l1: Required<MemoryOptions>;
  readonly coherence: Coherence;
}

/** An entry as it was kept, and how long its value is fresh, which may be longer than it may be so here. */
export interface Kept<T> {
  readonly entry: Entry<T>;
  readonly freshForMs: number;
}

/** For how long, at most, an entry is fresh in memory, and serves from there in any role. */
export interface Stay {
  readonly freshMs: number;
  readonly keptMs: number;
}

/** Whatever ends an entry will be heard of. */
export const UNLIMITED: Stay = { freshMs: Infinity, keptMs: Infinity };

/** Invalidated tags remembered in one process. */
const MOST_MARKED_TAGS = 10_000;

const UNMARKED = {};

/** The entries in memory, judged against the tags that were invalidated since they were loaded. */
export class Shelf<T> {
  readonly memory: Memory<T>;
  readonly #settings: ShelfSettings;
  readonly #invalidated = new TagMarks(MOST_MARKED_TAGS);
  readonly #expired = new TagMarks(MOST_MARKED_TAGS);
  /** How many tags have been invalidated or expired: the place in the order of all such events. */
  position = 0;
  /** What was stored up to `since` is fresh until `until` at most. */
  #limit: { readonly since: number; readonly until: number } | undefined;

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
    const limit = this.#limit;
    if (limit !== undefined && entry.storedAt <= limit.since) expireEntry(entry, limit.until, this.#settings);
    entry.checkedAt = this.position;
    return true;
  }

  /** Keeps a value. */
  put(key: string, loaded: Loaded<T>, stay: Stay = UNLIMITED): Kept<T> {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    return this.#keep(key, entryOf(loaded, now, this.#settings, random), now, stay);
  }

  /** Keeps what another instance has loaded. */
  adopt(key: string, shared: Shared<T>, stay: Stay): Kept<T> {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    return this.#keep(key, entryOfShared(shared, now, this.#settings, random), now, stay);
  }

  #keep(key: string, entry: Entry<T>, now: number, { freshMs, keptMs }: Stay): Kept<T> {
    const freshForMs = entry.freshUntil - now;
    if (freshMs < freshForMs) expireEntry(entry, now + freshMs, this.#settings);
    if (keptMs < Infinity) endStaleness(entry, now + keptMs, now + keptMs);
    if (this.#isHeardOf(key)) this.memory.set(key, entry);
    return { entry, freshForMs };
  }

  /** A server tells of a key by its name there, in which half of a surrogate pair is lost. */
  #isHeardOf(key: string): boolean {
    return this.#settings.coherence !== 'tracking' || isWellFormed(key);
  }

  /** From now on, what is kept is fresh for so long at most: others may change it without our knowing. */
  limitFreshness(mostFreshMs: number): void {
    const now = this.#settings.clock.monotonic();
    this.#limit = { since: now, until: now + mostFreshMs };
    this.position++;
  }

  endLimit(): void {
    this.#limit = undefined;
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
    if (position === this.position) return UNMARKED;
    const [invalidated, expired] = [this.#invalidated.newest(tags), this.#expired.newest(tags)];
    return {
      ...(invalidated.position > position && { invalidated }),
      ...(expired.position > position && { expired }),
    };
  }
}
