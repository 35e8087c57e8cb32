const BUCKETS = 10;
/** One more than ten: the oldest leaves a window after it began, when the tenth after it may have begun. */
const MOST_BUCKETS = BUCKETS + 1;

/** A bucket is three numbers: when it began, its calls, and those among them that count. */
const [STARTED_AT, CALLS, COUNTED_CALLS, BUCKET_SIZE] = [0, 1, 2, 3];
const RING_SIZE = MOST_BUCKETS * BUCKET_SIZE;
/** Before the ring of buckets: the sums of all of them, and where in the ring the oldest and the newest are. */
const [TOTAL, COUNTED, OLDEST, NEWEST, RING] = [0, 1, 2, 3, 4];

/**
 * The last `windowMs`, in ten buckets. A bucket begins with the first call that finds the one before it over, and
 * leaves as a whole when its beginning is a window ago: a call counts for between nine tenths of the window and all of
 * it. After idling any number of buckets may have passed at once, so each is judged by its own beginning.
 *
 * It says how to count, and the numbers are in a list of whoever counts: `SIZE` of them, from `at` on, zeros at first.
 */
export class TimeWindow {
  static readonly SIZE: number = RING + RING_SIZE;
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  total(list: readonly number[], at: number): number {
    return list[at + TOTAL] as number;
  }

  counted(list: readonly number[], at: number): number {
    return list[at + COUNTED] as number;
  }

  add(list: number[], at: number, counted: boolean, now: number): void {
    if (this.#isOver(list, at, now)) this.#forget(list, at, now);
    const newest = list[at + NEWEST] as number;
    let bucket = at + RING + newest;
    if (list[at + TOTAL] === 0) begin(list, bucket, now);
    else if (now >= (list[bucket + STARTED_AT] as number) + this.#windowMs / BUCKETS) {
      const next = after(newest);
      list[at + NEWEST] = next;
      bucket = at + RING + next;
      begin(list, bucket, now);
    }
    (list[bucket + CALLS] as number)++;
    (list[at + TOTAL] as number)++;
    if (!counted) return;
    (list[bucket + COUNTED_CALLS] as number)++;
    (list[at + COUNTED] as number)++;
  }

  clear(list: number[], at: number): void {
    list[at + TOTAL] = list[at + COUNTED] = 0;
    list[at + OLDEST] = list[at + NEWEST] as number;
  }

  /** Whether the oldest bucket has to leave. */
  #isOver(list: readonly number[], at: number, now: number): boolean {
    if (list[at + TOTAL] === 0) return false;
    return now >= (list[at + RING + (list[at + OLDEST] as number) + STARTED_AT] as number) + this.#windowMs;
  }

  #forget(list: number[], at: number, now: number): void {
    do {
      const oldest = list[at + OLDEST] as number;
      const bucket = at + RING + oldest;
      (list[at + TOTAL] as number) -= list[bucket + CALLS] as number;
      (list[at + COUNTED] as number) -= list[bucket + COUNTED_CALLS] as number;
      if (oldest !== list[at + NEWEST]) list[at + OLDEST] = after(oldest);
    } while (this.#isOver(list, at, now));
  }
}

function begin(list: number[], bucket: number, now: number): void {
  list[bucket + STARTED_AT] = now;
  list[bucket + CALLS] = list[bucket + COUNTED_CALLS] = 0;
}

/** The place behind that of `bucket`, in the ring. */
function after(bucket: number): number {
  const next = bucket + BUCKET_SIZE;
  return next === RING_SIZE ? 0 : next;
}

/** The last so many calls, one byte each. */
export class CountWindow {
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
