import { gradient2, type Gradient2State, type LimitBounds } from '@macadam/resilience';

/** A window's sample is taken after so long, and with so many runs. Source: Netflix's WindowedLimit. */
const WINDOW_MS = 1_000;
const WINDOW_RUNS = 10;
/** Shorter durations are noise. */
const SHORTEST_MS = 0.1;

/** How many may be at work: Gradient2, fed with what was measured over windows. */
export class ConcurrencyLimit {
  readonly #bounds: LimitBounds;
  #state: Gradient2State;
  #endsAt = -Infinity;
  #runs = 0;
  #sumMs = 0;
  #most = 0;

  constructor(initial: number, bounds: LimitBounds) {
    this.#bounds = bounds;
    this.#state = { limit: initial, longMs: 0, samples: 0 };
  }

  get value(): number {
    return Math.floor(this.#state.limit);
  }

  measure(durationMs: number, inFlight: number, now: number): void {
    if (inFlight > this.#most) this.#most = inFlight;
    if (durationMs < SHORTEST_MS) return;
    this.#runs++;
    this.#sumMs += durationMs;
    if (this.#runs < WINDOW_RUNS || now < this.#endsAt) return;
    const sample = { durationMs: this.#sumMs / this.#runs, inFlight: this.#most, dropped: false };
    this.#state = gradient2(this.#state, sample, this.#bounds);
    this.#runs = this.#sumMs = this.#most = 0;
    this.#endsAt = now + WINDOW_MS;
  }
}
