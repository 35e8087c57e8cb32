import { runAtRoot } from '@macadam/core';
import { longestStaleMs } from './entry.ts';
import type { CacheSettings } from './options.ts';
import { Recovery, type Unsettled } from './recovery.ts';
import type { TierCalls } from './tier-calls.ts';
import type { Ending, TierMarks, TierSpace } from './tier.ts';
import { newHead } from './wire/head.ts';

const REPLAY_AFTER_MS = 500;
/** Names that are ended within one time limit, as a tier has them in one command. */
const MOST_AT_ONCE = 500;
/** Lifetimes in the tier, since "for ever" is none that it knows: about three years. */
export const LONGEST_MS = 1e11;

/** An entry that is ready for the tier. */
export interface Sealed {
  readonly entry: Uint8Array;
  readonly ttlMs: number;
}

/** What is asked of the tier; `onAnswer` after each round trip but the last. */
type Ask = (onAnswer: () => void) => Promise<void>;

export interface EndingsOptions {
  readonly space: TierSpace;
  readonly calls: TierCalls;
  readonly settings: CacheSettings;
  /** Given the marks that were made. */
  readonly onMarks: (marks: TierMarks) => void;
  /** Given the keys that were ended again, which others may have changed meanwhile. */
  readonly onReplayed: (keys: readonly string[], how: Ending) => void;
}

/**
 * What ends values in the tier: writes, removals, marks. One that fails is done again until it succeeds, in the background;
 * until then nothing of what it should have ended is read from the tier.
 */
export class Endings {
  readonly recovery: Recovery = new Recovery();
  readonly #options: EndingsOptions;
  #replayArmed = false;
  #closed = false;
  replayed = 0;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * Puts a value in place, for all. False when the tier could not be told: then what it has is removed as soon as it can be, since
   * by then somebody else may have put a newer value there.
   */
  async write(id: string, seal: () => Promise<Sealed>): Promise<boolean> {
    const ids = [id];
    const unsettled = this.recovery.beginKeys(ids, 'invalidated');
    let sealed: Sealed;
    try {
      sealed = await seal();
    } catch {
      return this.#failed(unsettled);
    }
    // Sealing takes time, in which something newer may have begun; whether the tier hears of that is not known yet.
    if (!this.recovery.isLatest(id, unsettled)) return false;
    const { entry, ttlMs } = sealed;
    return this.#settle(
      (onAnswer) => this.#options.space.write(id, entry, ttlMs, onAnswer),
      unsettled,
      () => this.recovery.settleKeys(ids, unsettled),
    );
  }

  /** Ends keys, for all. False when the tier could not be told, and will be. */
  endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    const unsettled = this.recovery.beginKeys(ids, how);
    return this.#settleInParts(ids, unsettled, (part) => ({
      call: (onAnswer) => this.#endKeys(part, unsettled.how, onAnswer),
      settled: () => this.recovery.settleKeys(part, unsettled),
    }));
  }

  endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    const unsettled = this.recovery.beginTags(tags, how);
    return this.#settleInParts(tags, unsettled, (part) => ({
      call: () => this.#mark(part, unsettled.how),
      settled: () => this.recovery.settleTags(part, unsettled),
    }));
  }

  endEverything(): Promise<boolean> {
    const unsettled = this.recovery.beginEverything();
    return this.#settle(
      () => this.#mark([''], 'invalidated'),
      unsettled,
      () => this.recovery.settleEverything(unsettled),
    );
  }

  async #endKeys(ids: readonly string[], how: Ending, onAnswer: () => void): Promise<void> {
    if (how === 'invalidated') return this.#options.space.remove(ids, onAnswer);
    const staleForMs = Math.min(longestStaleMs(this.#options.settings), LONGEST_MS);
    return this.#options.space.expire(ids, newHead('expired'), staleForMs, onAnswer);
  }

  async #mark(tags: readonly string[], how: Ending): Promise<void> {
    this.#options.onMarks(await this.#options.space.mark(tags, how));
  }

  async #settle(call: Ask, unsettled: Unsettled, settled: () => void): Promise<boolean> {
    try {
      await this.#options.calls.run(call);
      settled();
      return true;
    } catch {
      return this.#failed(unsettled);
    }
  }

  /** All of them have begun; a list of any length must not be late for its length. */
  async #settleInParts(
    names: readonly string[],
    unsettled: Unsettled,
    ending: (part: readonly string[]) => { call: Ask; settled: () => void },
  ): Promise<boolean> {
    for (let i = 0; i < names.length; i += MOST_AT_ONCE) {
      const { call, settled } = ending(names.length <= MOST_AT_ONCE ? names : names.slice(i, i + MOST_AT_ONCE));
      if (!(await this.#settle(call, unsettled, settled))) return false;
    }
    return true;
  }

  #failed(unsettled: Unsettled): false {
    this.recovery.fail(unsettled);
    this.#armReplay();
    return false;
  }

  #armReplay(): void {
    if (this.#replayArmed || this.#closed) return;
    this.#replayArmed = true;
    // It goes on until the tier is back, and must not keep alive whoever it began with.
    const timer = runAtRoot(() =>
      this.#options.settings.clock.setTimer(() => {
        this.#replayArmed = false;
        void this.replay();
      }, REPLAY_AFTER_MS),
    );
    timer.unref?.();
  }

  /** Does again what failed, the strongest first; also here, since others may have changed the same meanwhile. */
  async replay(): Promise<void> {
    if (this.#closed || !this.recovery.hasFailed) return;
    const { recovery } = this;
    if (recovery.everything) {
      if (!(await this.endEverything())) return;
      this.replayed++;
    }
    for (const how of ['invalidated', 'expired'] as const) {
      for (;;) {
        const tags = recovery.failedTags(how, MOST_AT_ONCE);
        if (tags.length === 0) break;
        if (!(await this.endTags(tags, how))) return;
        this.replayed += tags.length;
      }
      for (;;) {
        const keys = recovery.failedKeys(how, MOST_AT_ONCE);
        if (keys.length === 0) break;
        if (!(await this.endKeys(keys, how))) return;
        this.replayed += keys.length;
        this.#options.onReplayed(keys, how);
      }
    }
  }
}
