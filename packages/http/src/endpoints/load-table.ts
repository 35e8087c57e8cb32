/** How fast a peak is forgotten: to about a third in this time. Source: Finagle's peak EWMA. */
const DECAY_MS = 10_000;
/** A failure counts for at least so much, and four times the present latency: failing fast must not attract calls. */
const FAILURE_MS = 100;
const FAILURE_FACTOR = 4;
const MOST_MS = 30_000;

/** Where calls wait and nothing was heard for so long, what was known before counts no more. */
const SILENCE_MS = 3 * DECAY_MS;

/** What is kept of each endpoint. */
const IN_FLIGHT = 0;
/** Whether it may be out of use, 1 or 0. */
const SUSPECT = 1;
const PEAK_MS = 2;
const PEAK_AT = 3;
const SIZE = 4;

/**
 * How busy, how well and how fast the endpoints of a region are, by their places in its list. It is all that choosing
 * between them looks at, and stands in one list of numbers: of thousands of endpoints each call looks at two, and would have
 * to find them far apart in memory otherwise.
 *
 * The latency believes bad news at once and good news slowly: a moving average that jumps to every peak. It fades while
 * nothing is heard, so that what was slow once is tried again.
 */
export class LoadTable {
  readonly #numbers: number[] = [];

  /** Takes in one more endpoint, of which nothing was heard so far. */
  add(isSuspect: boolean): void {
    this.#numbers.push(0, Number(isSuspect), 0, -Infinity);
  }

  /** Takes in what another table knows of an endpoint. */
  take(from: LoadTable, place: number): void {
    for (let i = 0; i < SIZE; i++) this.#numbers.push(from.#numbers[place * SIZE + i] as number);
  }

  inFlight(place: number): number {
    return this.#numbers[place * SIZE + IN_FLIGHT] as number;
  }

  /** Whether to ask the endpoint itself if it can be used; otherwise it can. */
  isSuspect(place: number): boolean {
    return this.#numbers[place * SIZE + SUSPECT] === 1;
  }

  /** In milliseconds; 0 when nothing is known. */
  latencyMs(place: number, now: number): number {
    const at = place * SIZE;
    const peakMs = this.#numbers[at + PEAK_MS] as number;
    return peakMs === 0 ? 0 : peakMs * Math.exp(((this.#numbers[at + PEAK_AT] as number) - now) / DECAY_MS);
  }

  /**
   * How long one more call may take, in milliseconds: where calls wait and nothing is heard, as long as any. Otherwise one
   * that is new, or was idle for long, would look fastest until it has answered, and draw every caller if it never does.
   * Source: the penalty in Finagle's peak EWMA.
   */
  expectedMs(place: number, now: number): number {
    const at = place * SIZE;
    const isSilent = this.#numbers[at + IN_FLIGHT] !== 0 && now - (this.#numbers[at + PEAK_AT] as number) >= SILENCE_MS;
    return isSilent ? MOST_MS : this.latencyMs(place, now);
  }

  began(place: number): void {
    (this.#numbers[place * SIZE + IN_FLIGHT] as number)++;
  }

  ended(place: number): void {
    (this.#numbers[place * SIZE + IN_FLIGHT] as number)--;
  }

  /** Nobody waited for the end of a call. One that is known to take as long, or waits in silence, is as before. */
  tookAtLeast(place: number, durationMs: number, now: number): void {
    if (durationMs > this.expectedMs(place, now)) this.succeeded(place, durationMs, now);
  }

  succeeded(place: number, durationMs: number, now: number): void {
    const numbers = this.#numbers;
    const at = place * SIZE;
    const keep = Math.exp(((numbers[at + PEAK_AT] as number) - now) / DECAY_MS);
    const faded = (numbers[at + PEAK_MS] as number) * keep;
    numbers[at + PEAK_MS] = durationMs >= faded ? durationMs : faded + durationMs * (1 - keep);
    numbers[at + PEAK_AT] = now;
  }

  failed(place: number, durationMs: number, now: number): void {
    this.#numbers[place * SIZE + SUSPECT] = 1;
    const ms = Math.max(durationMs, FAILURE_MS, this.latencyMs(place, now) * FAILURE_FACTOR);
    this.succeeded(place, Math.min(MOST_MS, ms), now);
  }
}
