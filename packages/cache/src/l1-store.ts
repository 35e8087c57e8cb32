import type { Clock, Random } from '@macadam/core';
import {
  limitStaleness,
  createEntry,
  createSharedEntry,
  expireEntry,
  freshnessOf,
  type Entry,
  type Lifetimes,
  type LoadedValue,
  type SharedValue,
} from './entry.ts';
import type { MemoryOptions } from './memory-options.ts';
import { Memory } from './memory.ts';
import { TagMarks, type Mark } from './tag-marks.ts';
import type { Coherence } from './tier.ts';
import { isWellFormed } from './well-formed.ts';

export interface L1Settings extends Lifetimes {
  readonly clock: Clock;
  readonly random: Random;
  readonly l1: Required<MemoryOptions>;
  readonly coherence: Coherence;
}

/**
 * An entry as it was stored, and how long its value is fresh. That can be longer than the entry is fresh in memory; see
 * `Retention`.
 */
export interface StoredEntry<T> {
  readonly entry: Entry<T>;
  readonly freshForMs: number;
}

/** How long, at most, an entry in memory is fresh, and how long it may be served at all. */
export interface Retention {
  readonly maxFreshMs: number;
  readonly maxServeMs: number;
}

/** For entries whose invalidation by another instance would be received. */
export const UNLIMITED_RETENTION: Retention = { maxFreshMs: Infinity, maxServeMs: Infinity };

/** Invalidated tags that one process remembers, per kind of ending. */
const MAX_MARKED_TAGS = 10_000;

const NO_MARKS = {};

/**
 * The memory tier (L1) of one cache: the entries, and the tag invalidations and freshness limits that apply to them.
 * Invalidating a tag records a mark; each entry is compared with the marks when it is read next.
 */
export class L1Store<T> {
  readonly memory: Memory<T>;
  readonly #settings: L1Settings;
  readonly #invalidated = new TagMarks(MAX_MARKED_TAGS);
  readonly #expired = new TagMarks(MAX_MARKED_TAGS);
  /**
   * Counts the tags invalidated or expired so far: the position in the order of all these events. It also increases
   * when freshness is limited, so that every entry is checked again.
   */
  position = 0;
  /** Entries stored up to `since` are fresh until `until` at most. */
  #freshnessLimit: { readonly since: number; readonly until: number } | undefined;

  constructor(settings: L1Settings) {
    this.#settings = settings;
    this.memory = new Memory(settings.l1);
  }

  get markedTags(): number {
    return this.#invalidated.size + this.#expired.size;
  }

  /** Returns the entry if it may still be served, fresh or stale. Counts as a use. */
  find(key: string, now: number): Entry<T> | undefined {
    const entry = this.memory.get(key);
    if (entry === undefined) return undefined;
    if (this.applyMarks(entry) && freshnessOf(entry, now) !== 'dead') return entry;
    this.memory.delete(key);
    return undefined;
  }

  /**
   * Applies to the entry what happened to its tags since it was last checked. Returns false when the entry must not be
   * served again.
   */
  applyMarks(entry: Entry<T>): boolean {
    if (entry.removed) return false;
    if (entry.checkedPosition === this.position) return true;
    if (this.#invalidated.newest(entry.tags).position > entry.position) return false;
    const expired = this.#expired.newest(entry.tags);
    if (expired.position > Math.max(entry.position, entry.expiredPosition)) {
      expireEntry(entry, Math.max(expired.at, entry.storedAt), this.#settings);
      entry.expiredPosition = expired.position;
    }
    const limit = this.#freshnessLimit;
    if (limit !== undefined && entry.storedAt <= limit.since) expireEntry(entry, limit.until, this.#settings);
    entry.checkedPosition = this.position;
    return true;
  }

  /** Stores a value that was loaded or set in this process. */
  store(key: string, loaded: LoadedValue<T>, retention: Retention = UNLIMITED_RETENTION): StoredEntry<T> {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    return this.#storeEntry(key, createEntry(loaded, now, this.#settings, random), now, retention);
  }

  /** Stores a value that another instance loaded. */
  storeShared(key: string, shared: SharedValue<T>, retention: Retention): StoredEntry<T> {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    return this.#storeEntry(key, createSharedEntry(shared, now, this.#settings, random), now, retention);
  }

  #storeEntry(key: string, entry: Entry<T>, now: number, { maxFreshMs, maxServeMs }: Retention): StoredEntry<T> {
    const freshForMs = entry.freshUntil - now;
    if (maxFreshMs < freshForMs) expireEntry(entry, now + maxFreshMs, this.#settings);
    if (maxServeMs < Infinity) limitStaleness(entry, now + maxServeMs, now + maxServeMs);
    if (this.#isTracked(key)) this.memory.set(key, entry);
    return { entry, freshForMs };
  }

  /**
   * Client tracking reports keys as UTF-8, in which lone surrogates are lost: such a key would never be invalidated.
   */
  #isTracked(key: string): boolean {
    return this.#settings.coherence !== 'tracking' || isWellFormed(key);
  }

  /**
   * Limits the freshness of the present entries: other instances may change them without this process learning of it.
   */
  limitFreshness(maxFreshMs: number): void {
    const now = this.#settings.clock.monotonic();
    this.#freshnessLimit = { since: now, until: now + maxFreshMs };
    this.position++;
  }

  liftFreshnessLimit(): void {
    this.#freshnessLimit = undefined;
  }

  expire(key: string): void {
    const entry = this.memory.peek(key);
    if (entry !== undefined) expireEntry(entry, this.#settings.clock.monotonic(), this.#settings);
  }

  markTags(tags: readonly string[], how: 'expired' | 'invalidated'): void {
    const marks = how === 'expired' ? this.#expired : this.#invalidated;
    const at = this.#settings.clock.monotonic();
    for (const tag of tags) marks.mark(tag, { position: ++this.position, at });
  }

  /**
   * The newest marks on the tags after `position`. A load that started at `position` must not be stored if there are
   * any.
   */
  markedSince(position: number, tags: readonly string[]): { invalidated?: Mark; expired?: Mark } {
    if (position === this.position) return NO_MARKS;
    const [invalidated, expired] = [this.#invalidated.newest(tags), this.#expired.newest(tags)];
    return {
      ...(invalidated.position > position && { invalidated }),
      ...(expired.position > position && { expired }),
    };
  }
}
