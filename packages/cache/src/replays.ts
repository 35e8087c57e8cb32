import { runAtRoot, type Clock } from '@macadam/core';
import type { Ending } from './tier.ts';
import type { UnsettledInvalidations } from './unsettled-invalidations.ts';

const REPLAY_AFTER_MS = 500;
/** The most names in one replay: as many as are sent within one time limit. */
const MAX_NAMES = 500;
const ENDINGS: readonly Ending[] = ['invalidated', 'expired'];

/** What is replayed. Each method returns false when the tier has not acknowledged it. */
export interface Replayable {
  readonly unsettled: UnsettledInvalidations;
  clear(): Promise<boolean>;
  endTags(tags: readonly string[], how: Ending): Promise<boolean>;
  endKeys(ids: readonly string[], how: Ending): Promise<boolean>;
}

/**
 * Repeats the invalidations that failed, in the background, until they succeed. Also applied in this process, since
 * others may have changed the same keys in the meantime.
 */
export class Replays {
  readonly #target: Replayable;
  readonly #clock: Clock;
  readonly #onReplayed: (keys: readonly string[], how: Ending) => void;
  #isScheduled = false;
  #isRunning = false;
  /** The most names that the next replay may contain. */
  #size = MAX_NAMES;
  #closed = false;
  replayed = 0;

  /** @param onReplayed receives the keys that were ended */
  constructor(target: Replayable, clock: Clock, onReplayed: (keys: readonly string[], how: Ending) => void) {
    this.#target = target;
    this.#clock = clock;
    this.#onReplayed = onReplayed;
  }

  close(): void {
    this.#closed = true;
  }

  schedule(): void {
    if (this.#isScheduled || this.#closed) return;
    this.#isScheduled = true;
    // Replays run at the root: they continue until the tier is back, and must not retain the context of the call that
    // failed first.
    const timer = runAtRoot(() =>
      this.#clock.setTimer(() => {
        this.#isScheduled = false;
        void this.run();
      }, REPLAY_AFTER_MS),
    );
    timer.unref?.();
  }

  /** Replays now: clear first, then invalidations, then expiries. */
  async run(): Promise<void> {
    const { unsettled } = this.#target;
    if (this.#closed || this.#isRunning || !unsettled.hasFailed) return;
    this.#isRunning = true;
    try {
      await this.#replayAll();
    } finally {
      this.#isRunning = false;
    }
    if (unsettled.hasFailed) this.schedule();
  }

  async #replayAll(): Promise<void> {
    const target = this.#target;
    const { unsettled } = target;
    if (unsettled.hasFailedClear && (await target.clear())) this.replayed++;
    for (const how of ENDINGS) {
      await this.#replayNames(
        (limit) => unsettled.failedTags(how, limit),
        (tags) => target.endTags(tags, how),
      );
      await this.#replayNames(
        (limit) => unsettled.failedKeys(how, limit),
        async (keys) => {
          const isSettled = await target.endKeys(keys, how);
          if (isSettled) this.#onReplayed(keys, how);
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
      const names = failed(this.#size);
      if (names.length === 0) return;
      if (!(await end(names))) {
        this.#size = Math.ceil(names.length / 2);
        return;
      }
      this.#size = Math.min(names.length * 2, MAX_NAMES);
      this.replayed += names.length;
    }
  }
}
