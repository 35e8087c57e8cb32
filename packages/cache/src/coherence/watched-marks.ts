import type { Clock } from '@macadam/core';
import type { TierCalls } from '../tier-calls.ts';
import type { TierMarks, TierSpace } from '../tier.ts';
import { KnownMarks, type Verdict } from './known-marks.ts';

/** While nobody tells what others changed, marks are asked for when they are older than this. */
const ASK_EVERY_MS = 1_000;

/** What is known of the marks of a tier, and how it is found out. */
export class WatchedMarks {
  readonly #known: KnownMarks = new KnownMarks();
  readonly #space: TierSpace;
  readonly #calls: TierCalls;
  readonly #clock: Clock;
  #asked: Promise<boolean> | undefined;
  #knownAt = -Infinity;

  constructor(space: TierSpace, calls: TierCalls, clock: Clock) {
    this.#space = space;
    this.#calls = calls;
    this.#clock = clock;
  }

  get stamp(): string {
    return this.#known.stamp;
  }

  learn(marks: TierMarks): void {
    this.#known.learn(marks, this.#clock.monotonic());
  }

  /**
   * What was told comes by another way than answers, and may be of an epoch that is over: going back to it would lose the marks of the
   * one that followed. So another epoch than the known one is asked about.
   */
  hear(marks: TierMarks): void {
    if (this.#known.mayBeOf(marks.epoch)) this.learn(marks);
    else this.doubt();
  }

  judge(stamp: string, tags: readonly string[]): Verdict {
    return this.#known.judge(stamp, tags);
  }

  /** Some may have been missed. */
  doubt(): void {
    this.#knownAt = -Infinity;
    this.#asked = undefined;
  }

  /** Whether they are known as far as they must be; asks for them when they are not. */
  known(): Promise<boolean> | boolean {
    // Who is told of changes knows for as long as nothing raises doubts.
    if (this.#space.connected === true && this.#knownAt > -Infinity) return true;
    const now = this.#clock.monotonic();
    if (now - this.#knownAt < ASK_EVERY_MS) return true;
    if (this.#asked !== undefined) return this.#asked;
    const asked: Promise<boolean> = this.#calls
      .run(() => this.#space.marks())
      .then(
        (marks) => {
          this.learn(marks);
          // Doubted again meanwhile: the answer may be older than that.
          if (this.#asked === asked) this.#knownAt = now;
          return true;
        },
        () => false,
      );
    void asked.then(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
    this.#asked = asked;
    return asked;
  }
}
