import { maxStaleMs } from './entry.ts';
import { OpenWrites } from './open-writes.ts';
import type { CacheSettings } from './options.ts';
import { UnsettledInvalidations, type NamesByEnding, type UnsettledInvalidation } from './unsettled-invalidations.ts';
import { Replays, type Replayable } from './replays.ts';
import type { TierCalls } from './tier-calls.ts';
import type { Ending, TierMarks, TierSpace } from './tier.ts';
import { WaitingWrites } from './waiting-writes.ts';
import { newHead } from './wire/head.ts';

/** How many keys or tags are sent within one time limit; a tier handles that many in one command. */
const MAX_NAMES_PER_CALL = 500;
/** Maximum lifetime in the tier, which does not know "for ever": about three years. */
export const MAX_TIER_TTL_MS = 1e11;

/** An entry that is ready for the tier. */
export interface SealedEntry {
  readonly entry: Uint8Array;
  readonly ttlMs: number;
}

export interface InvalidatorOptions {
  readonly space: TierSpace;
  readonly calls: TierCalls;
  /** Time limit of each round trip. */
  readonly timeoutMs: number;
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
export class Invalidator implements Replayable {
  readonly unsettled: UnsettledInvalidations = new UnsettledInvalidations();
  readonly replays: Replays;
  readonly #options: InvalidatorOptions;
  readonly #waiting = new WaitingWrites();
  readonly #openWrites: OpenWrites;

  constructor(options: InvalidatorOptions) {
    this.#options = options;
    const { settings, timeoutMs, onReplayed } = options;
    this.#openWrites = new OpenWrites(settings.clock, timeoutMs);
    this.replays = new Replays(this, settings.clock, onReplayed);
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
    const send = (onAnswer: () => void): Promise<boolean> => {
      const stored = this.#options.space.write(id, entry, ttlMs, onAnswer, isCurrent);
      this.#openWrites.add(id, invalidation.number, stored);
      return stored;
    };
    try {
      const isStored = await this.#options.calls.run(send);
      const overwritten = await this.#openWrites.waitForOlder(ids, invalidation.number);
      // An older write was still on its way, so it is not known which of the two values the tier stores.
      if (overwritten.length > 0 && isCurrent()) return await this.endKeys(ids, 'invalidated');
      this.unsettled.settleKeys(ids, invalidation);
      return isStored;
    } catch {
      return this.#failed(invalidation);
    }
  }

  /** Ends keys for all instances. Returns false when the tier has not acknowledged it; it is replayed then. */
  endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    return this.#endAll(this.unsettled.keysByEnding(ids, how), (names, ending) => {
      const invalidation = this.unsettled.beginKeys(names, ending);
      return this.#settleInChunks(names, invalidation, (chunk) => ({
        send: () => this.#sendKeys(chunk, ending, invalidation),
        onSettled: () => this.unsettled.settleKeys(chunk, invalidation),
      }));
    });
  }

  endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    this.#waiting.endTags(tags);
    return this.#endAll(this.unsettled.tagsByEnding(tags, how), (names, ending) => {
      const invalidation = this.unsettled.beginTags(names, ending);
      return this.#settleInChunks(names, invalidation, (chunk) => ({
        send: () => this.#sendTags(chunk, ending),
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

  /** Ends the keys in the tier, and again those that an older write of this process may have stored since. */
  async #sendKeys(ids: readonly string[], how: Ending, invalidation: UnsettledInvalidation): Promise<void> {
    await this.#sendKeysOnce(ids, how);
    const overwritten = await this.#openWrites.waitForOlder(ids, invalidation.number);
    const again = overwritten.filter((id) => this.unsettled.isLatest(id, invalidation));
    if (again.length > 0) await this.#sendKeysOnce(again, how);
  }

  #sendKeysOnce(ids: readonly string[], how: Ending): Promise<void> {
    const { space, calls, settings } = this.#options;
    if (how === 'invalidated') return calls.run((onAnswer) => space.remove(ids, onAnswer));
    const staleForMs = Math.min(maxStaleMs(settings), MAX_TIER_TTL_MS);
    return calls.run((onAnswer) => space.expire(ids, newHead('expired'), staleForMs, onAnswer));
  }

  async #sendTags(tags: readonly string[], how: Ending): Promise<void> {
    const { space, calls, onMarks } = this.#options;
    await calls.run(async () => onMarks(await space.mark(tags, how)));
  }

  async #settle(
    send: () => Promise<void>,
    invalidation: UnsettledInvalidation,
    onSettled: () => void,
  ): Promise<boolean> {
    try {
      await send();
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
    operationOf: (chunk: readonly string[]) => { send: () => Promise<void>; onSettled: () => void },
  ): Promise<boolean> {
    for (let i = 0; i < names.length; i += MAX_NAMES_PER_CALL) {
      const { send, onSettled } = operationOf(
        names.length <= MAX_NAMES_PER_CALL ? names : names.slice(i, i + MAX_NAMES_PER_CALL),
      );
      if (!(await this.#settle(send, invalidation, onSettled))) return false;
    }
    return true;
  }

  #failed(invalidation: UnsettledInvalidation): false {
    this.unsettled.fail(invalidation);
    this.replays.schedule();
    return false;
  }
}
