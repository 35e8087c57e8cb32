/**
 * Finds out how much a server takes that does not say so, from when it refuses. Off until the first refusal; then the rate
 * is cut to 0.7 of what was sent, and grows again along a cubic curve: fast at first, slowly around the rate that was
 * refused, faster beyond it. The rule and its numbers are those of the AWS SDKs' adaptive mode (the retry section of the
 * AWS SDKs and Tools reference), which took the curve from CUBIC (RFC 9438).
 *
 * Three things are different here. The refusals of one flight are one refusal: twenty requests that were on their way
 * together say what one of them says. What was sent since the last half second counts, so that a first burst is not taken
 * for nothing. And time in which nothing may be sent is no time of low demand.
 */
const BETA = 0.7;
const SCALE = 0.4;
const SMOOTHING = 0.8;
const LEAST_PER_SECOND = 0.5;
const MEASURED_EACH_MS = 500;

export class CubicRate {
  /** A second, `Infinity` before the first refusal. */
  #rate = Infinity;
  #tokens = 0;
  #filledAt = 0;
  #lastMost = 0;
  #plateauMs = 0;
  #throttledAt = 0;
  #measured = 0;
  #measuredAt: number;
  #sent = 0;

  constructor(now: number) {
    this.#measuredAt = now;
  }

  /** Requests a second, `Infinity` before the first refusal. */
  get perSecond(): number {
    return this.#rate;
  }

  /** When the next request may go. */
  nextAt(now: number): number {
    if (this.#rate === Infinity) return now;
    this.#fill(now);
    // What is missing is due to rounding when it is as little as this: a timer would be set for now.
    return this.#tokens >= 1 - 1e-9 ? now : Math.max(now, this.#filledAt) + ((1 - this.#tokens) / this.#rate) * 1_000;
  }

  sent(now: number): void {
    const elapsedMs = now - this.#measuredAt;
    if (elapsedMs >= MEASURED_EACH_MS) {
      this.#measured = (this.#sent / elapsedMs) * 1_000 * SMOOTHING + this.#measured * (1 - SMOOTHING);
      this.#measuredAt = now;
      this.#sent = 0;
    }
    this.#sent++;
    if (this.#rate !== Infinity) this.#tokens--;
  }

  /** The server refused what was sent `sentAt`, and wants nothing before `resumesAt`. */
  throttled(now: number, sentAt: number, resumesAt: number): void {
    const news = this.#rate === Infinity || sentAt >= this.#throttledAt;
    if (news) {
      const used = Math.min(this.#rate, this.#sending);
      this.#lastMost = used;
      this.#plateauMs = Math.cbrt((used * (1 - BETA)) / SCALE) * 1_000;
      this.#rate = Math.max(used * BETA, LEAST_PER_SECOND);
    }
    const from = Math.max(now, resumesAt);
    this.#throttledAt = Math.max(this.#throttledAt, from);
    this.#filledAt = Math.max(this.#filledAt, from);
    this.#tokens = 0;
    if (from > now) {
      this.#measured = this.#sending;
      this.#measuredAt = from;
      this.#sent = 0;
    }
  }

  succeeded(now: number): void {
    if (this.#rate === Infinity) return;
    this.#fill(now);
    const seconds = (Math.max(0, now - this.#throttledAt) - this.#plateauMs) / 1_000;
    const grown = SCALE * seconds ** 3 + this.#lastMost;
    this.#rate = Math.max(Math.min(grown, 2 * this.#sending), LEAST_PER_SECOND);
  }

  /** What is sent in a second. */
  get #sending(): number {
    return Math.max(this.#measured, (this.#sent / MEASURED_EACH_MS) * 1_000);
  }

  #fill(now: number): void {
    if (now <= this.#filledAt) return;
    const filled = this.#tokens + ((now - this.#filledAt) / 1_000) * this.#rate;
    this.#tokens = Math.min(filled, Math.max(this.#rate, 1));
    this.#filledAt = now;
  }
}
