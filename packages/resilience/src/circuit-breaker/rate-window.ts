/** Counts calls, and those among them that count against the dependency, over a stretch of time or of calls. */
export interface RateWindow {
  add(counted: boolean, now: number): void;
  clear(): void;
  readonly total: number;
  readonly counted: number;
}

const BUCKETS = 10;

/**
 * The last `windowMs`, in ten buckets. A bucket begins with the first call that finds the one before it over, and
 * leaves as a whole when its beginning is a window ago: a call counts for between nine tenths of the window and all of
 * it. After idling any number of buckets may have passed at once, so each is judged by its own beginning.
 */
export class TimeWindow implements RateWindow {
  total = 0;
  counted = 0;
  readonly #windowMs: number;
  readonly #bucketMs: number;
  readonly #startedAt = new Float64Array(BUCKETS).fill(-Infinity);
  readonly #totals = new Float64Array(BUCKETS);
  readonly #counted = new Float64Array(BUCKETS);
  /** The bucket that takes new calls, and how many buckets before and with it hold any. */
  #newest = 0;
  #used = 0;
  #newestEndsAt = -Infinity;
  #oldestLeavesAt = Infinity;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(counted: boolean, now: number): void {
    if (now >= this.#oldestLeavesAt) this.#forget(now);
    if (now >= this.#newestEndsAt) this.#begin(now);
    const at = this.#newest;
    this.#totals[at] = (this.#totals[at] as number) + 1;
    this.total++;
    if (!counted) return;
    this.#counted[at] = (this.#counted[at] as number) + 1;
    this.counted++;
  }

  clear(): void {
    this.total = this.counted = this.#used = 0;
    this.#newestEndsAt = -Infinity;
    this.#oldestLeavesAt = Infinity;
  }

  #oldest(): number {
    return (this.#newest - this.#used + 1 + BUCKETS) % BUCKETS;
  }

  #forget(now: number): void {
    while (this.#used > 0) {
      const at = this.#oldest();
      const leavesAt = (this.#startedAt[at] as number) + this.#windowMs;
      if (now < leavesAt) {
        this.#oldestLeavesAt = leavesAt;
        return;
      }
      this.total -= this.#totals[at] as number;
      this.counted -= this.#counted[at] as number;
      this.#used--;
    }
    this.#oldestLeavesAt = Infinity;
    this.#newestEndsAt = -Infinity;
  }

  #begin(now: number): void {
    const at = (this.#newest + 1) % BUCKETS;
    this.#newest = at;
    // Ten full buckets span the window, so the oldest has left by now but for rounding.
    if (this.#used === BUCKETS) {
      this.total -= this.#totals[at] as number;
      this.counted -= this.#counted[at] as number;
    } else this.#used++;
    this.#startedAt[at] = now;
    this.#totals[at] = 0;
    this.#counted[at] = 0;
    this.#newestEndsAt = now + this.#bucketMs;
    this.#oldestLeavesAt = (this.#startedAt[this.#oldest()] as number) + this.#windowMs;
  }
}

/** The last so many calls, one byte each. */
export class CountWindow implements RateWindow {
  total = 0;
  counted = 0;
  readonly #calls: Uint8Array;
  #next = 0;

  constructor(calls: number) {
    this.#calls = new Uint8Array(calls);
  }

  add(counted: boolean): void {
    const at = this.#next;
    if (this.total === this.#calls.length) this.counted -= this.#calls[at] as number;
    else this.total++;
    this.#calls[at] = counted ? 1 : 0;
    if (counted) this.counted++;
    this.#next = at + 1 === this.#calls.length ? 0 : at + 1;
  }

  clear(): void {
    this.total = this.counted = this.#next = 0;
  }
}
