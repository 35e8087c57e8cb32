/** How fast a peak is forgotten: to about a third in this time. Source: Finagle's peak EWMA. */
const DECAY_MS = 10_000;
/** A failure counts for at least so much, and four times the present latency: failing fast must not attract calls. */
const FAILURE_MS = 100;
const FAILURE_FACTOR = 4;
const MOST_MS = 30_000;

/**
 * A latency that believes bad news at once and good news slowly: a moving average that jumps to every peak. It fades
 * while nothing is heard, so that what was slow once is tried again.
 */
export class PeakLatency {
  #ms = 0;
  #at = 0;

  /** In milliseconds; 0 when nothing is known. */
  read(now: number): number {
    return this.#ms === 0 ? 0 : this.#ms * Math.exp((this.#at - now) / DECAY_MS);
  }

  observe(durationMs: number, now: number): void {
    const keep = Math.exp((this.#at - now) / DECAY_MS);
    const faded = this.#ms * keep;
    this.#ms = durationMs >= faded ? durationMs : this.#ms * keep + durationMs * (1 - keep);
    this.#at = now;
  }

  observeFailure(durationMs: number, now: number): void {
    this.observe(Math.min(MOST_MS, Math.max(durationMs, FAILURE_MS, this.read(now) * FAILURE_FACTOR)), now);
  }
}
