/**
 * Finds the rate of a server that does not announce its limits, from its throttling responses. Off until the first of
 * them; then the rate is cut to 0.7 of what was sent, and grows again along a cubic curve: fast at first, slowly near the
 * rate that was throttled, faster beyond it. The algorithm and its constants are those of the adaptive retry mode of the
 * AWS SDKs (AWS SDKs and Tools reference, retry behavior), which took the curve from CUBIC (RFC 9438).
 *
 * Three differences: Throttling responses to requests that were in flight together count once, since they carry the same
 * information. The sending rate includes the current, unfinished half second, so that a first burst is not measured as
 * zero. And time in which nothing may be sent does not lower the measured rate.
 */

/** Factor by which throttling cuts the rate (CUBIC's beta). */
const BETA = 0.7;
/** Steepness of the curve (CUBIC's C). */
const SCALE = 0.4;
/** Weight of the latest measurement in the moving average of the sending rate. */
const SMOOTHING = 0.8;
const MIN_PER_SECOND = 0.5;
const MEASURE_INTERVAL_MS = 500;

export class CubicRate {
  /** Requests per second; `Infinity` before the first throttling response. */
  #rate = Infinity;
  #tokens = 0;
  #filledAt = 0;
  /** The sending rate at the last throttling (CUBIC's W_max). */
  #throttledRate = 0;
  /** How long the rate takes to grow back to that (CUBIC's K). */
  #plateauMs = 0;
  /** When the curve starts: at the last throttling, or at the end of the pause that it asked for. */
  #growsFrom = 0;
  /** Moving average of the sending rate per second, up to `#measuredAt`. */
  #measured = 0;
  #measuredAt: number;
  /** Requests sent since `#measuredAt`. */
  #sent = 0;

  constructor(now: number) {
    this.#measuredAt = now;
  }

  get perSecond(): number {
    return this.#rate;
  }

  /** When the next request may be sent. */
  nextAt(now: number): number {
    if (this.#rate === Infinity) return now;
    this.#fill(now);
    // Tolerates rounding errors, for which a timer would be set that fires at once, over and over.
    return this.#tokens >= 1 - 1e-9 ? now : Math.max(now, this.#filledAt) + ((1 - this.#tokens) / this.#rate) * 1_000;
  }

  recordSent(now: number): void {
    const elapsedMs = now - this.#measuredAt;
    if (elapsedMs >= MEASURE_INTERVAL_MS) {
      this.#measured = (this.#sent / elapsedMs) * 1_000 * SMOOTHING + this.#measured * (1 - SMOOTHING);
      this.#measuredAt = now;
      this.#sent = 0;
    }
    this.#sent++;
    if (this.#rate !== Infinity) this.#tokens--;
  }

  /** The server throttled a request that was sent at `sentAt`; nothing is sent before `resumesAt`. */
  recordThrottled(now: number, sentAt: number, resumesAt: number): void {
    const sentSinceCut = this.#rate === Infinity || sentAt >= this.#growsFrom;
    if (sentSinceCut) {
      const used = Math.min(this.#rate, this.#sendingRate);
      this.#throttledRate = used;
      this.#plateauMs = Math.cbrt((used * (1 - BETA)) / SCALE) * 1_000;
      this.#rate = Math.max(used * BETA, MIN_PER_SECOND);
    }
    const resumed = Math.max(now, resumesAt);
    this.#growsFrom = Math.max(this.#growsFrom, resumed);
    this.#filledAt = Math.max(this.#filledAt, resumed);
    this.#tokens = 0;
    if (resumed > now) {
      this.#measured = this.#sendingRate;
      this.#measuredAt = resumed;
      this.#sent = 0;
    }
  }

  recordSuccess(now: number): void {
    if (this.#rate === Infinity) return;
    this.#fill(now);
    const seconds = (Math.max(0, now - this.#growsFrom) - this.#plateauMs) / 1_000;
    const grown = SCALE * seconds ** 3 + this.#throttledRate;
    this.#rate = Math.max(Math.min(grown, 2 * this.#sendingRate), MIN_PER_SECOND);
  }

  get #sendingRate(): number {
    return Math.max(this.#measured, (this.#sent / MEASURE_INTERVAL_MS) * 1_000);
  }

  #fill(now: number): void {
    if (now <= this.#filledAt) return;
    const filled = this.#tokens + ((now - this.#filledAt) / 1_000) * this.#rate;
    this.#tokens = Math.min(filled, Math.max(this.#rate, 1));
    this.#filledAt = now;
  }
}
