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

/** What came of asking. */
export interface Obtained<T> {
  readonly value: T;
  readonly lifespan: Lifespan;
}

/** How a {@link RefreshedValue} gets its value. */
export interface RefreshedValueSettings<T> {
  readonly clock: Clock;
  readonly random: Random;
  /** Asks for a new value, given the old one. The signal aborts when the owner is closed. */
  readonly obtain: (signal: AbortSignal, before: T | undefined, startedAt: number) => Promise<Obtained<T>>;
  /** How long to leave the source alone after a failure. */
  readonly backoff: (failure: unknown) => Backoff;
  /** What attempts that are still going on fail with once it is closed. */
  readonly closed: () => Error;
}

/** Numbers of a {@link RefreshedValue}. */
export interface RefreshedValueStats {
  /** Milliseconds since the value in hand was asked for; `undefined` when there is none. */
  readonly ageMs: number | undefined;
  readonly attempts: number;
  readonly failures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
}

/**
 * A value that is replaced before it ends: the keys of an issuer, a token.
 *
 * What is in hand is only ever replaced by a new one: a failed attempt takes nothing away. All who wait for an attempt
 * wait for the same one, it belongs to none of them, and no timer runs: the next look-up looks at the clock.
 */
export class RefreshedValue<T> {
  readonly #settings: RefreshedValueSettings<T>;
  readonly #closing = new AbortController();
  #state: RefreshState = initialState;
  #value: T | undefined;
  #flight: Promise<T> | undefined;
  #lastFailure: unknown;
  #attempts = 0;
  #failures = 0;

  constructor(settings: RefreshedValueSettings<T>) {
    this.#settings = settings;
  }

  /** The value, if one may be used at this instant. Gets a new one in the background when it is time. Never waits. */
  peek(): T | undefined {
    const now = this.#settings.clock.monotonic();
    if (now < this.#state.refreshAt) return this.#value;
    const freshness = freshnessAt(this.#state, now);
    if (freshness === 'refresh') this.refreshInBackground();
    return freshness === 'use' || freshness === 'refresh' ? this.#value : undefined;
  }

  /** The value, waited for if need be. Rejects with what the last attempt failed with, or the reason of `signal`. */
  async get(signal: AbortSignal | undefined): Promise<T> {
    const value = this.peek();
    if (value !== undefined) return value;
    let failure = this.#lastFailure;
    if (this.#flight !== undefined || this.mayAsk) {
      const outcome = await abortable(
        this.refresh().then(
          (obtained) => ({ obtained }),
          (error: unknown) => ({ error }),
        ),
        signal,
      );
      if ('obtained' in outcome) return outcome.obtained;
      // An old one is kept for exactly this.
      const old = this.peek();
      if (old !== undefined) return old;
      failure = outcome.error;
    }
    throw failure;
  }

  /** The value in hand, whatever its age. */
  get current(): T | undefined {
    return this.#value;
  }

  /** When the value in hand was asked for; `-Infinity` when there is none. */
  get obtainedAt(): number {
    return this.#state.obtainedAt ?? -Infinity;
  }

  /** The attempt that is going on. */
  get flight(): Promise<T> | undefined {
    return this.#flight;
  }

  /** Whether enough time has passed since the last failure. */
  get mayAsk(): boolean {
    return this.#settings.clock.monotonic() >= this.#state.notBefore;
  }

  /** The attempt in flight, or a new one. It belongs to nobody: the caller who caused it may leave. */
  refresh(): Promise<T> {
    this.#flight ??= runDetached(() => this.#ask()).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  refreshInBackground(): void {
    this.refresh().catch(() => {});
  }

  /** Lets go of the value: it was found out to be of no use. What is going on to get a new one goes on. */
  drop(): void {
    this.#value = undefined;
    this.#state = { ...initialState, failures: this.#state.failures, notBefore: this.#state.notBefore };
  }

  stats(): RefreshedValueStats {
    const { obtainedAt, failures } = this.#state;
    const ageMs = obtainedAt === undefined ? undefined : this.#settings.clock.monotonic() - obtainedAt;
    return { ageMs, attempts: this.#attempts, failures: this.#failures, failuresInARow: failures };
  }

  /** Cancels what is going on. The value in hand can still be used. */
  close(): void {
    this.#closing.abort(this.#settings.closed());
  }

  async #ask(): Promise<T> {
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
