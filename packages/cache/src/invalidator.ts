import { runAtRoot } from '@macadam/core';
import { maxStaleMs } from './entry.ts';
import type { CacheSettings } from './options.ts';
import { UnsettledInvalidations, type UnsettledInvalidation } from './unsettled-invalidations.ts';
import type { TierCalls } from './tier-calls.ts';
import type { Ending, TierMarks, TierSpace } from './tier.ts';
import { newHead } from './wire/head.ts';

const REPLAY_AFTER_MS = 500;
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
  #replayScheduled = false;
  #closed = false;
  replayed = 0;

  constructor(options: InvalidatorOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * Stores a value for all instances. Returns false when the tier has not acknowledged it. Then whatever the tier
   * stores for the key is removed as soon as possible, instead of written again: by then another instance may have
   * stored a newer value.
   */
  async write(id: string, seal: () => Promise<SealedEntry>): Promise<boolean> {
    const ids = [id];
    const invalidation = this.unsettled.beginKeys(ids, 'invalidated');
    let sealed: SealedEntry;
    try {
      sealed = await seal();
    } catch {
      return this.#failed(invalidation);
    }
    // A newer operation may have started while the value was encoded. Whether the tier will acknowledge that one is not
    // known yet.
    if (!this.unsettled.isLatest(id, invalidation)) return false;
    const { entry, ttlMs } = sealed;
    return this.#settle(
      (onAnswer) => this.#options.space.write(id, entry, ttlMs, onAnswer),
      invalidation,
      () => this.unsettled.settleKeys(ids, invalidation),
    );
  }

  /** Ends keys for all instances. Returns false when the tier has not acknowledged it; it is replayed then. */
  endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    const invalidation = this.unsettled.beginKeys(ids, how);
    return this.#settleInChunks(ids, invalidation, (chunk) => ({
      call: (onAnswer) => this.#sendKeys(chunk, invalidation.how, onAnswer),
      onSettled: () => this.unsettled.settleKeys(chunk, invalidation),
    }));
  }

  endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    const invalidation = this.unsettled.beginTags(tags, how);
    return this.#settleInChunks(tags, invalidation, (chunk) => ({
      call: () => this.#sendTags(chunk, invalidation.how),
      onSettled: () => this.unsettled.settleTags(chunk, invalidation),
    }));
  }

  clear(): Promise<boolean> {
    const invalidation = this.unsettled.beginClear();
    return this.#settle(
      () => this.#sendTags([''], 'invalidated'),
      invalidation,
      () => this.unsettled.settleClear(invalidation),
    );
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
    if (this.#closed || !this.unsettled.hasFailed) return;
    const { unsettled } = this;
    if (unsettled.hasFailedClear) {
      if (!(await this.clear())) return;
      this.replayed++;
    }
    for (const how of ['invalidated', 'expired'] as const) {
      for (;;) {
        const tags = unsettled.failedTags(how, MAX_NAMES_PER_CALL);
        if (tags.length === 0) break;
        if (!(await this.endTags(tags, how))) return;
        this.replayed += tags.length;
      }
      for (;;) {
        const keys = unsettled.failedKeys(how, MAX_NAMES_PER_CALL);
        if (keys.length === 0) break;
        if (!(await this.endKeys(keys, how))) return;
        this.replayed += keys.length;
        this.#options.onReplayed(keys, how);
      }
    }
  }
}
