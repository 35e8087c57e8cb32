const BUCKETS = 10;

/** When the oldest bucket leaves or the newest is over, whichever is first: until then a call is only counted. */
const DUE_AT = 0;
/** The calls of all buckets, and those among them that count. */
const TOTAL = 1;
const COUNTED = 2;
/** The newest bucket: its calls, those that count, and when it began. */
const CALLS = 3;
const COUNTED_CALLS = 4;
const STARTED_AT = 5;
/** The buckets before it: how many, where in the ring the oldest is, and the ring, of three numbers for each. */
const EARLIER = 6;
const OLDEST = 7;
const RING = 8;
const BUCKET_SIZE = 3;
/** The newest may be the tenth that has begun after the oldest. */
const RING_SIZE = BUCKETS * BUCKET_SIZE;

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
    if (now >= (list[at + DUE_AT] as number)) this.#turn(list, at, now);
    (list[at + CALLS] as number)++;
    (list[at + TOTAL] as number)++;
    if (!counted) return;
    (list[at + COUNTED_CALLS] as number)++;
    (list[at + COUNTED] as number)++;
  }

  clear(list: number[], at: number): void {
    list[at + DUE_AT] = list[at + TOTAL] = list[at + COUNTED] = list[at + EARLIER] = 0;
  }

  /** Lets go of the buckets that are a window old, and begins a new one if it is time. */
  #turn(list: number[], at: number, now: number): void {
    this.#forget(list, at, now);
    const isEmpty = list[at + EARLIER] === 0 && now >= (list[at + STARTED_AT] as number) + this.#windowMs;
    if (isEmpty) list[at + TOTAL] = list[at + COUNTED] = 0;
    const isOver = now >= (list[at + STARTED_AT] as number) + this.#windowMs / BUCKETS;
    if (list[at + TOTAL] === 0) begin(list, at, now);
    else if (isOver) {
      keep(list, at);
      begin(list, at, now);
    }
    const startedAt = list[at + STARTED_AT] as number;
    const oldestAt = list[at + EARLIER] === 0 ? startedAt : (list[at + RING + (list[at + OLDEST] as number)] as number);
    list[at + DUE_AT] = Math.min(oldestAt + this.#windowMs, startedAt + this.#windowMs / BUCKETS);
  }

  #forget(list: number[], at: number, now: number): void {
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

function begin(list: number[], at: number, now: number): void {
  list[at + STARTED_AT] = now;
  list[at + CALLS] = list[at + COUNTED_CALLS] = 0;
}

/** Puts the newest bucket behind those before it. */
function keep(list: number[], at: number): void {
  const earlier = list[at + EARLIER] as number;
  const bucket = at + RING + (((list[at + OLDEST] as number) + earlier * BUCKET_SIZE) % RING_SIZE);
  list[bucket] = list[at + STARTED_AT] as number;
  list[bucket + 1] = list[at + CALLS] as number;
  list[bucket + 2] = list[at + COUNTED_CALLS] as number;
  list[at + EARLIER] = earlier + 1;
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
