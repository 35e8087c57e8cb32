import type { AsyncResource } from 'node:async_hooks';
import { Expiring, OptionsError, runAtRoot, runDetached, TimeoutError } from '@macadam/core';
import type { LoadContext, StaleValue } from './cache.ts';
import type { Entry } from './entry.ts';
import { CacheValueError, type LoaderReason } from './errors.ts';
import { assertTtl } from './options.ts';
import { assertTags, MOST_TAGS } from './tag-marks.ts';
import type { Lease } from './tier.ts';
import { isWellFormed } from './well-formed.ts';

const LONGEST_VALIDATOR = 1_024;

/** Who waits for others before it goes. */
export interface Members {
  enter(): void;
  leave(): void;
}

/** How a load ended. */
export type LoadOutcome<T> =
  | {
      readonly ok: true;
      readonly value: T | undefined;
      /** A tag of the value was invalidated after the load began: who came after that must not get it. */
      readonly outdated: boolean;
    }
  | { readonly ok: false; readonly reason: LoaderReason; readonly error: unknown };

/**
 * One load of one key, which any number of callers wait for. Unlike `singleFlight` of the resilience package it outlives its
 * callers, since what it brings is of use to the next one, and an invalidation can cut it off from the cache.
 *
 * Its promises never reject, so nothing has to be caught when nobody waits.
 */
export class Flight<T> extends Expiring {
  readonly key: string;
  /** How many tag invalidations there had been when it began. */
  readonly position: number;
  /** What may serve if it fails or is slow, even when it was evicted meanwhile. */
  stale: Entry<T> | undefined;
  /** When the loader was called; undefined while it waits for its turn. */
  begunAt: number | undefined;
  settled = false;
  /** Its loader is going to be called, whatever the shared tier has. */
  loads = false;
  /** What travels with the call that began it; undefined when nobody waits for it. */
  scope: AsyncResource | undefined;
  /** That it may fill the shared tier. */
  lease: Lease | undefined;
  /** What was known of the tier's invalidations when the loader was called. */
  stamp = '';
  /** It no longer waits for a batch. */
  left = false;
  /** How long callers that hold a stale value wait; undefined while there is none. */
  softLimit: SoftLimit | undefined;
  #soon: Promise<LoadOutcome<T> | undefined> | undefined;
  #passSoon: ((outcome: LoadOutcome<T> | undefined) => void) | undefined;
  #isLate = false;
  #ended: LoadOutcome<T> | undefined;
  #outcome: Promise<LoadOutcome<T>> | undefined;
  #settle: ((outcome: LoadOutcome<T>) => void) | undefined;
  readonly #onTimeout: (flight: Flight<T>) => void;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(key: string, position: number, stale: Entry<T> | undefined, onTimeout: (flight: Flight<T>) => void) {
    super();
    this.key = key;
    this.position = position;
    this.stale = stale;
    this.#onTimeout = onTimeout;
  }

  /** How it ends. Made when somebody asks: what the shared tier has is handed over without. */
  get outcome(): Promise<LoadOutcome<T>> {
    this.#outcome ??=
      this.#ended === undefined ? new Promise((resolve) => (this.#settle = resolve)) : Promise.resolve(this.#ended);
    return this.#outcome;
  }

  /** The outcome, or undefined as soon as a caller with a stale value has waited long enough. */
  get soon(): Promise<LoadOutcome<T> | undefined> {
    this.#soon ??=
      this.#ended === undefined && !this.#isLate
        ? new Promise((resolve) => (this.#passSoon = resolve))
        : Promise.resolve(this.#ended);
    return this.#soon;
  }

  /** Who has a stale value has waited long enough. */
  endWait(): void {
    this.#isLate = true;
    this.#passSoon?.(undefined);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /**
   * Runs the loader: in the trace of the caller who began it, but without its deadline and its signal, since others wait as well. What
   * nobody waits for is part of no trace, and must not keep alive a request that is over.
   */
  within<R>(load: () => R): R {
    return this.scope === undefined ? runAtRoot(load) : this.scope.runInAsyncScope(() => runDetached(load));
  }

  /** It has decided, or will not in time: the batch need not wait for it. */
  leave(batch: Members | undefined): void {
    if (this.left) return;
    this.left = true;
    batch?.leave();
  }

  settle(outcome: LoadOutcome<T>): void {
    this.settled = true;
    this.#ended = outcome;
    this.#settle?.(outcome);
    this.#passSoon?.(outcome);
  }

  /** Tells the loader that nobody will take what it brings. */
  cancel(reason: unknown): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  override expire(): void {
    this.#onTimeout(this);
  }
}

interface Waited {
  endWait(): void;
}

/** Ends the wait of those who have a stale value. */
export class SoftLimit extends Expiring {
  readonly #flight: Waited;

  constructor(flight: Waited) {
    super();
    this.#flight = flight;
  }

  override expire(): void {
    this.#flight.endWait();
  }
}

/** What the loader of one key is given, and what it said. */
export class FlightContext<T> implements LoadContext<T> {
  readonly key: string;
  declare readonly stale?: StaleValue<T>;
  readonly #flight: Flight<T>;
  readonly #entry: Entry<T> | undefined;
  ttlMs: number | undefined;
  tags: readonly string[];
  validator = '';
  skipped = false;
  /** What stays as it is, since the source says so. */
  unchanged: Entry<T> | undefined;

  constructor(key: string, flight: Flight<T>, tags: readonly string[], entry?: Entry<T>, stale?: StaleValue<T>) {
    this.key = key;
    this.#flight = flight;
    this.tags = tags;
    this.#entry = entry;
    if (stale !== undefined) this.stale = stale;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  /** Nobody waits for it. */
  get isBackground(): boolean {
    return this.#flight.scope === undefined;
  }

  /** Resolves when the load has ended, in whichever way. */
  get ended(): Promise<unknown> {
    return this.#flight.outcome;
  }

  // Fields, so that a loader can write ({ signal, setTtl }) =>.
  readonly setTtl = (ttlMs: number): void => {
    assertTtl('setTtl.ttlMs', ttlMs);
    this.ttlMs = ttlMs;
  };

  readonly addTags = (tags: readonly string[]): void => {
    assertTags('addTags.tags', tags);
    const all = new Set([...this.tags, ...tags]);
    if (all.size > MOST_TAGS) throw new OptionsError('addTags.tags', tags, `${MOST_TAGS} tags at most in all`);
    this.tags = [...all];
  };

  readonly setValidator = (validator: string): void => {
    const fits = typeof validator === 'string' && validator.length > 0 && validator.length <= LONGEST_VALIDATOR;
    if (!fits || !isWellFormed(validator)) {
      const allowed = `a well-formed string of 1 to ${LONGEST_VALIDATOR} characters`;
      throw new OptionsError('setValidator.validator', validator, allowed);
    }
    this.validator = validator;
  };

  readonly notModified = (): T => {
    if (this.#entry === undefined) throw new CacheValueError('There is no stale value that could be as it was');
    this.unchanged = this.#entry;
    return this.#entry.value;
  };

  readonly skip = (): void => {
    this.skipped = true;
  };
}

/** The error of a load that ran out of time. */
export function outOfTime(timeoutMs: number): TimeoutError {
  return new TimeoutError(`A load took longer than ${timeoutMs} ms`, timeoutMs);
}
