import { runAtRoot } from '@macadam/core';
import { maxStaleMs } from './entry.ts';
import type { CacheSettings } from './options.ts';
import { UnsettledInvalidations, type NamesByEnding, type UnsettledInvalidation } from './unsettled-invalidations.ts';
import type { TierCalls } from './tier-calls.ts';
import type { Ending, TierMarks, TierSpace } from './tier.ts';
import { WaitingWrites } from './waiting-writes.ts';
import { newHead } from './wire/head.ts';

const REPLAY_AFTER_MS = 500;
const ENDINGS: readonly Ending[] = ['invalidated', 'expired'];
/** How many keys or tags are sent within one time limit; a tier handles that many in one command. */
const MAX_NAMES_PER_CALL = 500;
/** Maximum lifetime in the tier, which does not know "for ever": about three years. */
export const MAX_TIER_TTL_MS = 1e11;

/** An entry that is ready for the tier. */
export interface SealedEntry {
  readonly entry: Uint8Array;
  readonly ttlMs: number;
}

/** One operation of the tier. Calls `onAnswer` after each round trip but the last. */
type TierOperation = (onAnswer: () => void) => Promise<void>;

export interface InvalidatorOptions {
  readonly space: TierSpace;
  readonly calls: TierCalls;
  readonly settings: CacheSettings;
  /** Called with the tag marks that the tier has made. */
  readonly onMarks: (marks: TierMarks) => void;
  /** Called with the keys whose invalidation was replayed: other instances may have changed them in the meantime. */
  readonly onReplayed: (keys: readonly string[], how: Ending) => void;
}

/**
 * Everything that ends values in the shared tier: writes, removals, expiries and tag marks. One that fails is replayed
 * in the background until it succeeds. Until then, what it should have ended is not read from the tier.
 */
export class Invalidator {
  readonly unsettled: UnsettledInvalidations = new UnsettledInvalidations();
  readonly #options: InvalidatorOptions;
  readonly #waiting = new WaitingWrites();
  #replayScheduled = false;
  #replaying = false;
  /** The most names that one replay may contain. */
  #replaySize = MAX_NAMES_PER_CALL;
  #closed = false;
  replayed = 0;

  constructor(options: InvalidatorOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * Stores a value for all instances, as soon as the tag marks are `synced`, if they can be: then `seal` gives the entry
   * its place among them. Returns false when the tier has not acknowledged it, or a newer operation on the key has
   * overtaken it. Then whatever the tier stores for the key is removed as soon as possible, instead of written again: by
   * then another instance may have stored a newer value.
   */
  async write(
    id: string,
    tags: readonly string[],
    synced: Promise<boolean> | boolean,
    seal: () => Promise<SealedEntry>,
  ): Promise<boolean> {
    const ids = [id];
    const invalidation = this.unsettled.beginKeys(ids, 'invalidated');
    // Whether no newer operation on the key has started. Whether the tier will acknowledge that one is not known yet.
    const isCurrent = (): boolean => this.unsettled.isLatest(id, invalidation);
    const mayStore = await this.#waiting.wait(tags, synced);
    if (!isCurrent()) return false;
    // The entry would be placed after the mark that ended it. The value that it replaces must still go.
    if (!mayStore) return this.endKeys(ids, 'invalidated');
    let sealed: SealedEntry;
    try {
      sealed = await seal();
    } catch {
      return this.#failed(invalidation);
    }
    if (!isCurrent()) return false;
    const { entry, ttlMs } = sealed;
    let isStored = false;
    const isAcknowledged = await this.#settle(
      async (onAnswer) => void (isStored = await this.#options.space.write(id, entry, ttlMs, onAnswer, isCurrent)),
      invalidation,
      () => this.unsettled.settleKeys(ids, invalidation),
    );
    return isAcknowledged && isStored;
  }

  /** Ends keys for all instances. Returns false when the tier has not acknowledged it; it is replayed then. */
  endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    return this.#endAll(this.unsettled.keysByEnding(ids, how), (names, ending) => {
      const invalidation = this.unsettled.beginKeys(names, ending);
      return this.#settleInChunks(names, invalidation, (chunk) => ({
        call: (onAnswer) => this.#sendKeys(chunk, ending, onAnswer),
        onSettled: () => this.unsettled.settleKeys(chunk, invalidation),
      }));
    });
  }

  endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    this.#waiting.endTags(tags);
    return this.#endAll(this.unsettled.tagsByEnding(tags, how), (names, ending) => {
      const invalidation = this.unsettled.beginTags(names, ending);
      return this.#settleInChunks(names, invalidation, (chunk) => ({
        call: () => this.#sendTags(chunk, ending),
        onSettled: () => this.unsettled.settleTags(chunk, invalidation),
      }));
    });
  }

  clear(): Promise<boolean> {
    this.#waiting.endAll();
    const invalidation = this.unsettled.beginClear();
    return this.#settle(
      () => this.#sendTags([''], 'invalidated'),
      invalidation,
      () => this.unsettled.settleClear(invalidation),
    );
  }

  async #endAll(
    groups: NamesByEnding,
    end: (names: readonly string[], how: Ending) => Promise<boolean>,
  ): Promise<boolean> {
    const results = await Promise.all(groups.map(([how, names]) => end(names, how)));
    return results.every(Boolean);
  }

  async #sendKeys(ids: readonly string[], how: Ending, onAnswer: () => void): Promise<void> {
    if (how === 'invalidated') return this.#options.space.remove(ids, onAnswer);
    const staleForMs = Math.min(maxStaleMs(this.#options.settings), MAX_TIER_TTL_MS);
    return this.#options.space.expire(ids, newHead('expired'), staleForMs, onAnswer);
  }

  async #sendTags(tags: readonly string[], how: Ending): Promise<void> {
    this.#options.onMarks(await this.#options.space.mark(tags, how));
  }

  async #settle(call: TierOperation, invalidation: UnsettledInvalidation, onSettled: () => void): Promise<boolean> {
    try {
      await this.#options.calls.run(call);
      onSettled();
      return true;
    } catch {
      return this.#failed(invalidation);
    }
  }

  /**
   * Sends the names in chunks, each with the whole time limit, so that a long list does not time out for its length.
   */
  async #settleInChunks(
    names: readonly string[],
    invalidation: UnsettledInvalidation,
    operationOf: (chunk: readonly string[]) => { call: TierOperation; onSettled: () => void },
  ): Promise<boolean> {
    for (let i = 0; i < names.length; i += MAX_NAMES_PER_CALL) {
      const { call, onSettled } = operationOf(
        names.length <= MAX_NAMES_PER_CALL ? names : names.slice(i, i + MAX_NAMES_PER_CALL),
      );
      if (!(await this.#settle(call, invalidation, onSettled))) return false;
    }
    return true;
  }

  #failed(invalidation: UnsettledInvalidation): false {
    this.unsettled.fail(invalidation);
    this.#scheduleReplay();
    return false;
  }

  #scheduleReplay(): void {
    if (this.#replayScheduled || this.#closed) return;
    this.#replayScheduled = true;
    // Replays run at the root: they continue until the tier is back, and must not retain the context of the call that
    // failed first.
    const timer = runAtRoot(() =>
      this.#options.settings.clock.setTimer(() => {
        this.#replayScheduled = false;
        void this.replay();
      }, REPLAY_AFTER_MS),
    );
    timer.unref?.();
  }

  /**
   * Repeats what failed: clear first, then invalidations, then expiries. Also applied in this process, since others may
   * have changed the same keys in the meantime.
   */
  async replay(): Promise<void> {
    if (this.#closed || this.#replaying || !this.unsettled.hasFailed) return;
    this.#replaying = true;
    try {
      await this.#replayAll();
    } finally {
      this.#replaying = false;
    }
    if (this.unsettled.hasFailed) this.#scheduleReplay();
  }

  async #replayAll(): Promise<void> {
    const { unsettled } = this;
    if (unsettled.hasFailedClear && (await this.clear())) this.replayed++;
    for (const how of ENDINGS) {
      await this.#replayNames(
        (limit) => unsettled.failedTags(how, limit),
        (tags) => this.endTags(tags, how),
      );
      await this.#replayNames(
        (limit) => unsettled.failedKeys(how, limit),
        async (keys) => {
          const isSettled = await this.endKeys(keys, how);
          if (isSettled) this.#options.onReplayed(keys, how);
          return isSettled;
        },
      );
    }
  }

  /**
   * Ends at the first failure, since the tier may be down. The names that failed are the last of the next replay, which
   * takes half as many at once: a name that the tier always refuses is soon alone, and does not block the others.
   */
  async #replayNames(
    failed: (limit: number) => readonly string[],
    end: (names: readonly string[]) => Promise<boolean>,
  ): Promise<void> {
    while (!this.#closed) {
      const names = failed(this.#replaySize);
      if (names.length === 0) return;
      if (!(await end(names))) {
        this.#replaySize = Math.ceil(names.length / 2);
        return;
      }
      this.#replaySize = Math.min(names.length * 2, MAX_NAMES_PER_CALL);
      this.replayed += names.length;
    }
  }
}
