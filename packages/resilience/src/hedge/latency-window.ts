const STEPS = 16; // buckets per doubling: neighbours differ by 4.4 %
const LOWEST_LOG2 = -4; // 1/16 ms
const SIZE = 25 * STEPS; // up to 2^21 ms, 35 minutes

/** The number of durations in each bucket, and the longest of them. */
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
 * Percentiles of the durations of about the last `windowMs`. A percentile is a duration that was measured, at most 4.4 %
 * above the exact one. Two histograms alternate, so that a duration counts for between half of the window and all of it.
 */
export class LatencyWindow {
  readonly #halfMs: number;
  #current = new Histogram();
  #previous = new Histogram();
  #rotatesAt = -Infinity;

  constructor(windowMs: number) {
    this.#halfMs = windowMs / 2;
  }

  /** The number of durations that count at this time. */
  total(now: number): number {
    if (now < this.#rotatesAt) return this.#current.total + this.#previous.total;
    return now < this.#rotatesAt + this.#halfMs ? this.#current.total : 0;
  }

  add(durationMs: number, now: number): void {
    this.#rotate(now);
    const at = durationMs > 0 ? Math.floor((Math.log2(durationMs) - LOWEST_LOG2) * STEPS) : 0;
    this.#current.add(Math.min(Math.max(at, 0), SIZE - 1), durationMs);
  }

  /** The duration that `ratio` of the calls did not exceed, in milliseconds; Infinity when there were none. */
  percentile(ratio: number, now: number): number {
    this.#rotate(now);
    const [a, b] = [this.#current, this.#previous];
    const total = this.total(now);
    let left = Math.ceil(ratio * total);
    for (let at = 0; at < SIZE; at++) {
      left -= (a.counts[at] as number) + (b.counts[at] as number);
      if (left <= 0 && total > 0) return Math.max(a.longest[at] as number, b.longest[at] as number);
    }
    return Infinity;
  }

  #rotate(now: number): void {
    if (now < this.#rotatesAt) return;
    const wasIdle = now >= this.#rotatesAt + this.#halfMs;
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.clear();
    if (wasIdle) this.#previous.clear();
    this.#rotatesAt = now + this.#halfMs;
  }
}
