import { abortable, type Clock, type Random, runDetached } from '@macadam/core';
import {
  afterFailure,
  afterSuccess,
  type Backoff,
  freshnessAt,
  initialState,
  type Lifespan,
  type RefreshState,
} from './refresh-plan.ts';

/** A new value, and how long it may be used. */
export interface Obtained<T> {
  readonly value: T;
  readonly lifespan: Lifespan;
}

/** How a {@link RefreshedValue} obtains its value. */
export interface RefreshedValueSettings<T> {
  readonly clock: Clock;
  readonly random: Random;
  /** Obtains a new value, given the current one. The signal aborts on `close()`. */
  readonly obtain: (signal: AbortSignal, current: T | undefined, startedAt: number) => Promise<Obtained<T>>;
  /** How long to wait after a failure before the next attempt. */
  readonly backoff: (failure: unknown) => Backoff;
  /** Creates the error that attempts in flight reject with on `close()`. */
  readonly closed: () => Error;
}

/** Counts of a {@link RefreshedValue}. */
export interface RefreshedValueStats {
  /** Milliseconds since the attempt that obtained the current value started; `undefined` when there is none. */
  readonly ageMs: number | undefined;
  readonly attempts: number;
  readonly failures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
}

/**
 * A value that is refreshed before it expires: the key set of an issuer, an access token.
 *
 * - A failed attempt leaves the current value in place; only a new value replaces it.
 * - Concurrent callers share one attempt. It runs detached from them, so a caller that gives up does not cancel it.
 * - There is no timer: each call of `peek` or `get` compares the clock with the lifespan.
 */
export class RefreshedValue<T> {
  readonly #settings: RefreshedValueSettings<T>;
  readonly #closing = new AbortController();
  #state: RefreshState = initialState;
  #value: T | undefined;
  #attemptInFlight: Promise<T> | undefined;
  #lastFailure: unknown;
  #attempts = 0;
  #failures = 0;

  constructor(settings: RefreshedValueSettings<T>) {
    this.#settings = settings;
  }

  /** The value, if it may be used now. Starts a refresh in the background when one is due. Never waits. */
  peek(): T | undefined {
    const now = this.#settings.clock.monotonic();
    if (now < this.#state.refreshAt) return this.#value;
    const freshness = freshnessAt(this.#state, now);
    if (freshness === 'refresh') this.refreshInBackground();
    return freshness === 'use' || freshness === 'refresh' ? this.#value : undefined;
  }

  /**
   * The value; waits for an attempt if there is none. Rejects with the error of the last attempt, or the reason of
   * `signal`.
   */
  async get(signal: AbortSignal | undefined): Promise<T> {
    const value = this.peek();
    if (value !== undefined) return value;
    let failure = this.#lastFailure;
    if (this.#attemptInFlight !== undefined || this.mayAttempt) {
      const outcome = await abortable(
        this.refresh().then(
          (obtained) => ({ obtained }),
          (error: unknown) => ({ error }),
        ),
        signal,
      );
      if ('obtained' in outcome) return outcome.obtained;
      // The attempt failed, and a stale value is usable for exactly this case.
      const old = this.peek();
      if (old !== undefined) return old;
      failure = outcome.error;
    }
    throw failure;
  }

  /** The current value, whatever its age. */
  get current(): T | undefined {
    return this.#value;
  }

  /** When the attempt that obtained the current value started; `-Infinity` when there is none. */
  get obtainedAt(): number {
    return this.#state.obtainedAt ?? -Infinity;
  }

  /** The attempt that is running, if there is one. */
  get attemptInFlight(): Promise<T> | undefined {
    return this.#attemptInFlight;
  }

  /** The error of the last attempt; `undefined` when it succeeded, and before the first. */
  get lastFailure(): { readonly cause: unknown } | undefined {
    return this.#state.failures === 0 ? undefined : { cause: this.#lastFailure };
  }

  /** Whether the backoff after the last failure has passed. */
  get mayAttempt(): boolean {
    return this.#settings.clock.monotonic() >= this.#state.notBefore;
  }

  /** The attempt in flight, or a new one. It runs detached: it goes on when the caller that started it gives up. */
  refresh(): Promise<T> {
    this.#attemptInFlight ??= runDetached(() => this.#attempt()).finally(() => {
      this.#attemptInFlight = undefined;
    });
    return this.#attemptInFlight;
  }

  refreshInBackground(): void {
    this.refresh().catch(() => {});
  }

  /** Discards the current value, because it turned out not to be accepted. An attempt in flight continues. */
  discard(): void {
    this.#value = undefined;
    this.#state = { ...initialState, failures: this.#state.failures, notBefore: this.#state.notBefore };
  }

  stats(): RefreshedValueStats {
    const { obtainedAt, failures } = this.#state;
    const ageMs = obtainedAt === undefined ? undefined : this.#settings.clock.monotonic() - obtainedAt;
    return { ageMs, attempts: this.#attempts, failures: this.#failures, failuresInARow: failures };
  }

  /** Cancels the attempt in flight. The current value can still be used. */
  close(): void {
    this.#closing.abort(this.#settings.closed());
  }

  async #attempt(): Promise<T> {
    const { clock, random, obtain, backoff } = this.#settings;
    const { signal } = this.#closing;
    const startedAt = clock.monotonic();
    this.#attempts++;
    try {
      signal.throwIfAborted();
      const { value, lifespan } = await obtain(signal, this.#value, startedAt);
      this.#value = value;
      this.#state = afterSuccess(startedAt, lifespan);
      this.#lastFailure = undefined;
      return value;
    } catch (error) {
      this.#failures++;
      this.#lastFailure = error;
      this.#state = afterFailure(this.#state, clock.monotonic(), backoff(error), random);
      throw error;
    }
  }
}
