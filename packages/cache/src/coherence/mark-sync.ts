import type { Clock } from '@macadam/core';
import type { TierCalls } from '../tier-calls.ts';
import type { TierMarks, TierSpace } from '../tier.ts';
import { KnownMarks, type Verdict } from './known-marks.ts';

/** Without received changes, the marks are read again when they are older than this. */
const SYNC_INTERVAL_MS = 1_000;

/** Keeps the known marks of a tier up to date: reads them when needed, and applies those that arrive as changes. */
export class MarkSync {
  readonly #marks: KnownMarks = new KnownMarks();
  readonly #space: TierSpace;
  readonly #calls: TierCalls;
  readonly #clock: Clock;
  #syncing: Promise<boolean> | undefined;
  #syncedAt = -Infinity;

  constructor(space: TierSpace, calls: TierCalls, clock: Clock) {
    this.#space = space;
    this.#calls = calls;
    this.#clock = clock;
  }

  get epochPosition(): string {
    return this.#marks.epochPosition;
  }

  apply(marks: TierMarks): void {
    this.#marks.apply(marks, this.#clock.monotonic());
  }

  /**
   * Applies marks that arrived as a change. They travel separately from responses and may belong to an epoch that is
   * over: returning to it would lose the marks of its successor. So marks of an unknown epoch only cause the marks to
   * be read again.
   */
  applyAnnounced(marks: TierMarks): void {
    if (this.#marks.canApply(marks.epoch)) this.apply(marks);
    else this.requireSync();
  }

  judge(epochPosition: string, tags: readonly string[]): Verdict {
    return this.#marks.judge(epochPosition, tags);
  }

  /** Marks may have been missed: they are read again before the next use. */
  requireSync(): void {
    this.#syncedAt = -Infinity;
    this.#syncing = undefined;
  }

  /** Whether the marks are known up to now; reads them if necessary. False when the tier cannot be read. */
  ensureSynced(): Promise<boolean> | boolean {
    // While changes arrive, marks that were read once stay complete until `requireSync`.
    if (this.#space.connected === true && this.#syncedAt > -Infinity) return true;
    const now = this.#clock.monotonic();
    if (now - this.#syncedAt < SYNC_INTERVAL_MS) return true;
    if (this.#syncing !== undefined) return this.#syncing;
    const syncing: Promise<boolean> = this.#calls
      .run(() => this.#space.marks())
      .then(
        (marks) => {
          this.apply(marks);
          // After another `requireSync` in the meantime, this response may be too old.
          if (this.#syncing === syncing) this.#syncedAt = now;
          return true;
        },
        () => false,
      );
    void syncing.then(() => {
      if (this.#syncing === syncing) this.#syncing = undefined;
    });
    this.#syncing = syncing;
    return syncing;
  }
}
