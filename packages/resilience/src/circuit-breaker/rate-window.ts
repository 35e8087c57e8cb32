/** Sliding windows of calls, by time and by number, in which some calls are counted (as failed or slow). */

const BUCKETS = 10;

// Offsets into the list of numbers of a TimeWindow.
/** When the oldest bucket expires or the newest is over, whichever is first: until then a call only adds to the newest. */
const DUE_AT = 0;
/** The calls of all buckets, and how many of them are counted. */
const TOTAL = 1;
const COUNTED = 2;
/** The newest bucket: its calls, how many of them are counted, and its start. */
const CALLS = 3;
const COUNTED_CALLS = 4;
const STARTED_AT = 5;
/** The earlier buckets: their number, the position of the oldest in the ring, and the ring, with three numbers each. */
const EARLIER = 6;
const OLDEST = 7;
const RING = 8;
const BUCKET_SIZE = 3;
/** The newest bucket is outside the ring, and at most ten are before it. */
const RING_SIZE = BUCKETS * BUCKET_SIZE;

/**
 * The calls of the last `windowMs`, in ten buckets. A bucket starts with the first call after the previous one is over,
 * and expires as a whole `windowMs` after its start: a call counts for between nine tenths of the window and all of it.
 * After an idle time many buckets may have expired at once, so each is checked by its own start.
 *
 * Stateless: the numbers are in a list of the caller, `SIZE` of them from index `at` on, initially zeros.
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
    if (now >= (list[at + DUE_AT] as number)) this.#rotate(list, at, now);
    (list[at + CALLS] as number)++;
    (list[at + TOTAL] as number)++;
    if (!counted) return;
    (list[at + COUNTED_CALLS] as number)++;
    (list[at + COUNTED] as number)++;
  }

  clear(list: number[], at: number): void {
    list[at + DUE_AT] = list[at + TOTAL] = list[at + COUNTED] = list[at + EARLIER] = 0;
  }

  /** Drops expired buckets, and starts a new one if the newest is over. */
  #rotate(list: number[], at: number, now: number): void {
    this.#dropExpired(list, at, now);
    const isEmpty = list[at + EARLIER] === 0 && now >= (list[at + STARTED_AT] as number) + this.#windowMs;
    if (isEmpty) list[at + TOTAL] = list[at + COUNTED] = 0;
    const isOver = now >= (list[at + STARTED_AT] as number) + this.#windowMs / BUCKETS;
    if (list[at + TOTAL] === 0) startBucket(list, at, now);
    else if (isOver) {
      pushNewest(list, at);
      startBucket(list, at, now);
    }
    const startedAt = list[at + STARTED_AT] as number;
    const oldestAt = list[at + EARLIER] === 0 ? startedAt : (list[at + RING + (list[at + OLDEST] as number)] as number);
    list[at + DUE_AT] = Math.min(oldestAt + this.#windowMs, startedAt + this.#windowMs / BUCKETS);
  }

  #dropExpired(list: number[], at: number, now: number): void {
    while ((list[at + EARLIER] as number) > 0) {
      const oldest = list[at + OLDEST] as number;
      const bucket = at + RING + oldest;
      if (now < (list[bucket] as number) + this.#windowMs) return;
      (list[at + TOTAL] as number) -= list[bucket + 1] as number;
      (list[at + COUNTED] as number) -= list[bucket + 2] as number;
      list[at + OLDEST] = (oldest + BUCKET_SIZE) % RING_SIZE;
      (list[at + EARLIER] as number)--;
    }
  }
}

function startBucket(list: number[], at: number, now: number): void {
  list[at + STARTED_AT] = now;
  list[at + CALLS] = list[at + COUNTED_CALLS] = 0;
}

/** Appends the newest bucket to the ring. */
function pushNewest(list: number[], at: number): void {
  const earlier = list[at + EARLIER] as number;
  const bucket = at + RING + (((list[at + OLDEST] as number) + earlier * BUCKET_SIZE) % RING_SIZE);
  list[bucket] = list[at + STARTED_AT] as number;
  list[bucket + 1] = list[at + CALLS] as number;
  list[bucket + 2] = list[at + COUNTED_CALLS] as number;
  list[at + EARLIER] = earlier + 1;
}

/** The last `calls` calls, one byte each. */
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
