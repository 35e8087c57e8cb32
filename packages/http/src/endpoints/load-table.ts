/** The time in which a latency peak decays to about a third. Source: Finagle's peak EWMA. */
const DECAY_MS = 10_000;
/** A failure counts as at least this latency, and as four times the current one: failing fast must not attract calls. */
const MIN_FAILURE_MS = 100;
const FAILURE_FACTOR = 4;
const MAX_LATENCY_MS = 30_000;

/** When attempts are in flight and none has ended for this long, earlier latencies are ignored. */
const SILENCE_MS = 3 * DECAY_MS;

/** The layout of the numbers of one endpoint. */
const IN_FLIGHT = 0;
/** Whether the endpoint may be unusable: 1 or 0. */
const NEEDS_CHECK = 1;
const PEAK_MS = 2;
const PEAK_AT = 3;
const SIZE = 4;

/**
 * The load and latency of the endpoints of a region, by their index in its list. This is all that is read to choose between
 * two endpoints, so it is one flat list of numbers: of thousands of endpoints each call looks at two, whose objects would be
 * spread over the memory.
 *
 * The latency is a moving average that jumps to every peak and decays slowly (peak EWMA). It also decays while nothing is
 * recorded, so that an endpoint that was slow once is used again.
 */
export class LoadTable {
  readonly #numbers: number[] = [];

  /** Appends an endpoint without history. */
  add(needsCheck: boolean): void {
    this.#numbers.push(0, Number(needsCheck), 0, -Infinity);
  }

  /** Appends an endpoint with its numbers from another table. */
  addFrom(table: LoadTable, index: number): void {
    for (let i = 0; i < SIZE; i++) this.#numbers.push(table.#numbers[index * SIZE + i] as number);
  }

  inFlight(index: number): number {
    return this.#numbers[index * SIZE + IN_FLIGHT] as number;
  }

  /** Whether the endpoint itself has to be asked if it is usable. False for most: then its object need not be read. */
  needsCheck(index: number): boolean {
    return this.#numbers[index * SIZE + NEEDS_CHECK] === 1;
  }

  /** The moving average; 0 when nothing is known. */
  latencyMs(index: number, now: number): number {
    const at = index * SIZE;
    const peakMs = this.#numbers[at + PEAK_MS] as number;
    return peakMs === 0 ? 0 : peakMs * Math.exp(((this.#numbers[at + PEAK_AT] as number) - now) / DECAY_MS);
  }

  /**
   * The expected latency of one more attempt. The maximum while attempts are in flight and none has ended for long: otherwise
   * an endpoint that is new, or was idle for long, would look fastest until it responds, and attract every call if it never
   * does. Source: the penalty in Finagle's peak EWMA.
   */
  expectedMs(index: number, now: number): number {
    const at = index * SIZE;
    const isSilent = this.#numbers[at + IN_FLIGHT] !== 0 && now - (this.#numbers[at + PEAK_AT] as number) >= SILENCE_MS;
    return isSilent ? MAX_LATENCY_MS : this.latencyMs(index, now);
  }

  recordStart(index: number): void {
    (this.#numbers[index * SIZE + IN_FLIGHT] as number)++;
  }

  recordEnd(index: number): void {
    (this.#numbers[index * SIZE + IN_FLIGHT] as number)--;
  }

  recordLatency(index: number, durationMs: number, now: number): void {
    const numbers = this.#numbers;
    const at = index * SIZE;
    const keep = Math.exp(((numbers[at + PEAK_AT] as number) - now) / DECAY_MS);
    const decayedMs = (numbers[at + PEAK_MS] as number) * keep;
    numbers[at + PEAK_MS] = durationMs >= decayedMs ? durationMs : decayedMs + durationMs * (1 - keep);
    numbers[at + PEAK_AT] = now;
  }

  /** For an attempt that was cancelled after `durationMs`: its latency counts only if it exceeds what is expected anyway. */
  recordMinLatency(index: number, durationMs: number, now: number): void {
    if (durationMs > this.expectedMs(index, now)) this.recordLatency(index, durationMs, now);
  }

  recordFailure(index: number, durationMs: number, now: number): void {
    this.#numbers[index * SIZE + NEEDS_CHECK] = 1;
    const penaltyMs = Math.max(durationMs, MIN_FAILURE_MS, this.latencyMs(index, now) * FAILURE_FACTOR);
    this.recordLatency(index, Math.min(MAX_LATENCY_MS, penaltyMs), now);
  }
}
