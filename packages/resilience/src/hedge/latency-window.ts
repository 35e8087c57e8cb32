const STEPS = 16; // buckets for each doubling: neighbours are 4.4 % apart
const LOWEST_LOG2 = -4; // 1/16 ms
const SIZE = 25 * STEPS; // up to 2^21 ms, 35 minutes

/**
 * Durations of about the last `windowMs`, for percentiles good to 4.4 %. Two histograms take turns, so a duration counts
 * for between half of the window and all of it.
 */
export class LatencyWindow {
  readonly #halfMs: number;
  #current = new Float64Array(SIZE);
  #previous = new Float64Array(SIZE);
  #currentTotal = 0;
  #previousTotal = 0;
  #turnsAt = -Infinity;

  constructor(windowMs: number) {
    this.#halfMs = windowMs / 2;
  }

  get total(): number {
    return this.#currentTotal + this.#previousTotal;
  }

  add(durationMs: number, now: number): void {
    this.#turn(now);
    const at = durationMs > 0 ? Math.floor((Math.log2(durationMs) - LOWEST_LOG2) * STEPS) : 0;
    const bucket = Math.min(Math.max(at, 0), SIZE - 1);
    this.#current[bucket] = (this.#current[bucket] as number) + 1;
    this.#currentTotal++;
  }

  /** The duration that `ratio` of the calls did not exceed, in milliseconds; the upper end of its bucket. */
  percentile(ratio: number, now: number): number {
    this.#turn(now);
    let left = Math.ceil(ratio * this.total);
    for (let at = 0; at < SIZE; at++) {
      left -= (this.#current[at] as number) + (this.#previous[at] as number);
      if (left <= 0) return 2 ** ((at + 1) / STEPS + LOWEST_LOG2);
    }
    return Infinity;
  }

  #turn(now: number): void {
    if (now < this.#turnsAt) return;
    const idle = now >= this.#turnsAt + this.#halfMs;
    const emptied = this.#previous.fill(0);
    this.#previous = idle ? emptied : this.#current;
    this.#previousTotal = idle ? 0 : this.#currentTotal;
    this.#current = idle ? this.#current.fill(0) : emptied;
    this.#currentTotal = 0;
    this.#turnsAt = now + this.#halfMs;
  }
}
