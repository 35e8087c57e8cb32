const STEPS = 16; // buckets for each doubling: neighbours are 4.4 % apart
const LOWEST_LOG2 = -4; // 1/16 ms
const SIZE = 25 * STEPS; // up to 2^21 ms, 35 minutes

/** How many durations fell into each bucket, and the longest of them. */
class Histogram {
  readonly counts: Float64Array = new Float64Array(SIZE);
  readonly longest: Float64Array = new Float64Array(SIZE);
  total = 0;

  add(bucket: number, durationMs: number): void {
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    if (durationMs > (this.longest[bucket] as number)) this.longest[bucket] = durationMs;
    this.total++;
  }

  clear(): void {
    this.counts.fill(0);
    this.longest.fill(0);
    this.total = 0;
  }
}

/**
 * Durations of about the last `windowMs`, for percentiles that are durations which were measured, at most 4.4 % above the
 * exact one. Two histograms take turns, so a duration counts for between half of the window and all of it.
 */
export class LatencyWindow {
  readonly #halfMs: number;
  #current = new Histogram();
  #previous = new Histogram();
  #turnsAt = -Infinity;

  constructor(windowMs: number) {
    this.#halfMs = windowMs / 2;
  }

  /** How many durations count at this time. */
  total(now: number): number {
    if (now < this.#turnsAt) return this.#current.total + this.#previous.total;
    return now < this.#turnsAt + this.#halfMs ? this.#current.total : 0;
  }

  add(durationMs: number, now: number): void {
    this.#turn(now);
    const at = durationMs > 0 ? Math.floor((Math.log2(durationMs) - LOWEST_LOG2) * STEPS) : 0;
    this.#current.add(Math.min(Math.max(at, 0), SIZE - 1), durationMs);
  }

  /** The duration that `ratio` of the calls did not exceed, in milliseconds; Infinity when there were none. */
  percentile(ratio: number, now: number): number {
    this.#turn(now);
    const [a, b] = [this.#current, this.#previous];
    const total = this.total(now);
    let left = Math.ceil(ratio * total);
    for (let at = 0; at < SIZE; at++) {
      left -= (a.counts[at] as number) + (b.counts[at] as number);
      if (left <= 0 && total > 0) return Math.max(a.longest[at] as number, b.longest[at] as number);
    }
    return Infinity;
  }

  #turn(now: number): void {
    if (now < this.#turnsAt) return;
    const idle = now >= this.#turnsAt + this.#halfMs;
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.clear();
    if (idle) this.#previous.clear();
    this.#turnsAt = now + this.#halfMs;
  }
}
