/** Counts calls, and those among them that count against the dependency, over a stretch of time or of calls. */
export interface RateWindow {
  add(counted: boolean, now: number): void;
  clear(): void;
  readonly total: number;
  readonly counted: number;
}

const BUCKETS = 10;

/** The calls of a tenth of a window. */
class Bucket {
  startedAt = NaN;
  total = 0;
  counted = 0;
  newer: Bucket | undefined = undefined;

  begin(now: number): this {
    this.startedAt = now;
    this.total = this.counted = 0;
    return this;
  }
}

/**
 * The last `windowMs`, in ten buckets. A bucket begins with the first call that finds the one before it over, and
 * leaves as a whole when its beginning is a window ago: a call counts for between nine tenths of the window and all of
 * it. After idling any number of buckets may have passed at once, so each is judged by its own beginning.
 *
 * There are as many buckets as have calls in them: of thousands of dependencies most are called now and then.
 */
export class TimeWindow implements RateWindow {
  total = 0;
  counted = 0;
  readonly #windowMs: number;
  #oldest: Bucket | undefined = undefined;
  #newest: Bucket | undefined = undefined;
  /** The last that has left: where calls are few, it is what the next one needs. */
  #spare: Bucket | undefined = undefined;
  #newestEndsAt = -Infinity;
  #oldestLeavesAt = Infinity;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(counted: boolean, now: number): void {
    if (now >= this.#oldestLeavesAt) this.#forget(now);
    const bucket = now < this.#newestEndsAt ? (this.#newest as Bucket) : this.#begin(now);
    bucket.total++;
    this.total++;
    if (!counted) return;
    bucket.counted++;
    this.counted++;
  }

  clear(): void {
    this.total = this.counted = 0;
    this.#spare = this.#oldest ?? this.#spare;
    this.#oldest = this.#newest = undefined;
    this.#newestEndsAt = -Infinity;
    this.#oldestLeavesAt = Infinity;
  }

  #forget(now: number): void {
    for (let bucket = this.#oldest; bucket !== undefined; bucket = bucket.newer) {
      this.#oldestLeavesAt = bucket.startedAt + this.#windowMs;
      if (now < this.#oldestLeavesAt) return;
      this.total -= bucket.total;
      this.counted -= bucket.counted;
      this.#spare = bucket;
      this.#oldest = bucket.newer;
    }
    this.clear();
  }

  #begin(now: number): Bucket {
    const bucket = (this.#spare ?? new Bucket()).begin(now);
    this.#spare = undefined;
    bucket.newer = undefined;
    if (this.#newest === undefined) {
      this.#oldest = bucket;
      this.#oldestLeavesAt = now + this.#windowMs;
    } else this.#newest.newer = bucket;
    this.#newest = bucket;
    this.#newestEndsAt = now + this.#windowMs / BUCKETS;
    return bucket;
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
