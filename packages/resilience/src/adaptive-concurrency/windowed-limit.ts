import { aimd, gradient2, type Gradient2State, type LimitBounds, type Sample } from './limit.ts';

/** Options of {@link WindowedLimit}. */
export interface WindowedLimitOptions extends LimitBounds {
  /** `gradient2` follows the trend of latencies, `aimd` reacts to dropped calls only. */
  readonly algorithm: 'aimd' | 'gradient2';
  /** The initial limit. */
  readonly initial: number;
}

/** Minimum duration and number of calls of a window. Source: Netflix's WindowedLimit. */
const WINDOW_MS = 1_000;
const WINDOW_CALLS = 10;
/** Shorter durations are ignored: noise, or results that did not involve the dependency. */
const MIN_DURATION_MS = 0.1;

/**
 * Ratio of dropped calls in a window from which they have their full effect: of hundreds of calls per second, a single drop is no
 * sign of overload. Half of what failsafe-go's AdaptiveThrottler tolerates, with which the simulation recovers more slowly.
 */
const FULL_EFFECT_DROP_RATIO = 0.05;

/**
 * Computes the limit on calls in flight from measurements, for limiters of your own; `adaptiveConcurrency()` is one. Windows of at
 * least one second and ten calls are evaluated by their mean duration, their maximum of calls in flight and their dropped calls. If a
 * twentieth of the calls of a window was dropped, the limit shrinks as if all were; if less, in proportion. It does not count or refuse
 * calls itself.
 *
 * @example
 * ```ts
 * import { WindowedLimit } from '@macadam/resilience';
 *
 * const limit = new WindowedLimit({ algorithm: 'gradient2', initial: 20, min: 4, max: 200 });
 * limit.measure(12, 3, false, performance.now());
 * if (limit.value !== 20) throw new Error('one call is no window');
 * ```
 */
export class WindowedLimit {
  readonly #options: WindowedLimitOptions;
  #state: Gradient2State;
  #endsAt = -Infinity;
  #calls = 0;
  #sumMs = 0;
  #maxInFlight = 0;
  #ended = 0;
  #dropped = 0;

  constructor(options: WindowedLimitOptions) {
    this.#options = options;
    this.#state = { limit: options.initial, longMs: 0, samples: 0 };
  }

  /** The current limit, an integer. */
  get value(): number {
    return Math.floor(this.#state.limit);
  }

  /**
   * Records the end of a call.
   *
   * @param durationMs - the duration of the call in milliseconds
   * @param inFlight - the number of calls in flight, including it
   * @param dropped - whether it timed out, or was refused because of overload
   * @param now - when it ended, on the monotonic clock, in milliseconds
   */
  measure(durationMs: number, inFlight: number, dropped: boolean, now: number): void {
    if (inFlight > this.#maxInFlight) this.#maxInFlight = inFlight;
    this.#ended++;
    if (dropped) this.#dropped++;
    else if (durationMs >= MIN_DURATION_MS) {
      this.#calls++;
      this.#sumMs += durationMs;
    }
    if (now < this.#endsAt || (this.#calls < WINDOW_CALLS && this.#dropped === 0)) return;
    this.#adjust(durationMs);
    this.#endsAt = now + WINDOW_MS;
  }

  #adjust(lastMs: number): void {
    const durationMs = this.#calls > 0 ? this.#sumMs / this.#calls : Math.max(lastMs, MIN_DURATION_MS);
    const sample = { durationMs, inFlight: this.#maxInFlight, dropped: false };
    const dropWeight = Math.min(1, this.#dropped / (this.#ended * FULL_EFFECT_DROP_RATIO));
    const withoutDrop = this.#nextState(sample);
    const withDrop = this.#nextState({ ...sample, dropped: true });
    this.#state = { ...withoutDrop, limit: withoutDrop.limit * (1 - dropWeight) + withDrop.limit * dropWeight };
    this.#calls = this.#sumMs = this.#maxInFlight = this.#ended = this.#dropped = 0;
  }

  #nextState(sample: Sample): Gradient2State {
    const state = this.#state;
    if (this.#options.algorithm === 'gradient2') return gradient2(state, sample, this.#options);
    return { ...state, limit: aimd(state.limit, sample, this.#options) };
  }
}
