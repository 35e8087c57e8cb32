import type { AsyncResource } from 'node:async_hooks';
import { Expiring, runAtRoot, runDetached, TimeoutError } from '@macadam/core';
import type { Entry } from './entry.ts';
import type { LoaderReason } from './errors.ts';
import type { Lease } from './tier.ts';

/** A bulk load that is sent once every key that joined has left: it was added to the batch, or needs no load. */
export interface PendingBatch {
  join(): void;
  leave(): void;
}

/** How a load ended. */
export type LoadOutcome<T> =
  | {
      readonly ok: true;
      readonly value: T | undefined;
      /**
       * A tag of the value was invalidated after the load started. Reads that arrived after the invalidation must not
       * get the value.
       */
      readonly outdated: boolean;
    }
  | { readonly ok: false; readonly reason: LoaderReason; readonly error: unknown };

/**
 * One load of one key, shared by any number of callers. Unlike `singleFlight` of the resilience package, it outlives
 * its callers, because its result serves later reads too, and an invalidation can cut it off from the cache.
 *
 * Its promises never reject, so an outcome that nobody waits for causes no unhandled rejection.
 */
export class Flight<T> extends Expiring {
  readonly key: string;
  /** The `L1Store.position` when the load started. */
  readonly position: number;
  /** The stale value to serve if the load fails or is slow, even when it was evicted in the meantime. */
  stale: Entry<T> | undefined;
  /** When the loader was called, on the monotonic clock. Undefined while the load waits for a lease or a slot. */
  startedAt: number | undefined;
  settled = false;
  /** The loader will be called for certain: the shared tier cannot provide the value instead. */
  willLoad = false;
  /** The async context of the call that started the load; undefined for a background load. */
  asyncScope: AsyncResource | undefined;
  /** Permits storing the result in the shared tier. */
  lease: Lease | undefined;
  /** The position in the invalidations of the shared tier when the loader was called; see `KnownMarks`. */
  epochPosition = '';
  /** Whether the load has left its batch; see `PendingBatch`. */
  hasLeftBatch = false;
  /** The timer after which callers get the stale value; undefined without one. */
  softTimeout: SoftTimeout | undefined;
  #softOutcome: Promise<LoadOutcome<T> | undefined> | undefined;
  #resolveSoft: ((outcome: LoadOutcome<T> | undefined) => void) | undefined;
  #isSoftTimedOut = false;
  #settledOutcome: LoadOutcome<T> | undefined;
  #outcome: Promise<LoadOutcome<T>> | undefined;
  #resolveOutcome: ((outcome: LoadOutcome<T>) => void) | undefined;
  readonly #onTimeout: (flight: Flight<T>) => void;
  #controller: AbortController | undefined;
  #cancelReason: unknown;

  constructor(key: string, position: number, stale: Entry<T> | undefined, onTimeout: (flight: Flight<T>) => void) {
    super();
    this.key = key;
    this.position = position;
    this.stale = stale;
    this.#onTimeout = onTimeout;
  }

  /** The outcome. The promise is created on demand: values from the shared tier are often delivered without one. */
  get outcome(): Promise<LoadOutcome<T>> {
    this.#outcome ??=
      this.#settledOutcome === undefined
        ? new Promise((resolve) => (this.#resolveOutcome = resolve))
        : Promise.resolve(this.#settledOutcome);
    return this.#outcome;
  }

  /** The outcome, or undefined as soon as the soft timeout has passed. */
  get outcomeOrSoftTimeout(): Promise<LoadOutcome<T> | undefined> {
    this.#softOutcome ??=
      this.#settledOutcome === undefined && !this.#isSoftTimedOut
        ? new Promise((resolve) => (this.#resolveSoft = resolve))
        : Promise.resolve(this.#settledOutcome);
    return this.#softOutcome;
  }

  /** The soft timeout has passed: callers get the stale value now, if there is one. */
  expireSoftTimeout(): void {
    this.#isSoftTimedOut = true;
    this.#resolveSoft?.(undefined);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelReason !== undefined) this.#controller.abort(this.#cancelReason);
    }
    return this.#controller.signal;
  }

  /**
   * Runs the loader in the trace of the caller that started the load, but without its deadline and signal, because
   * other callers wait too. A background load belongs to no trace and must not retain a request that has ended.
   */
  runLoader<R>(loader: () => R): R {
    return this.asyncScope === undefined
      ? runAtRoot(loader)
      : this.asyncScope.runInAsyncScope(() => runDetached(loader));
  }

  /** Tells the batch not to wait for this key: it is in the batch, needs no load, or takes too long to decide. */
  leaveBatch(batch: PendingBatch | undefined): void {
    if (this.hasLeftBatch) return;
    this.hasLeftBatch = true;
    batch?.leave();
  }

  settle(outcome: LoadOutcome<T>): void {
    this.settled = true;
    this.#settledOutcome = outcome;
    this.#resolveOutcome?.(outcome);
    this.#resolveSoft?.(outcome);
  }

  /** Aborts the signal of the loader. */
  cancel(reason: unknown): void {
    this.#cancelReason = reason;
    this.#controller?.abort(reason);
  }

  override expire(): void {
    this.#onTimeout(this);
  }
}

export interface SoftTimeoutTarget {
  expireSoftTimeout(): void;
}

/** The timer of the soft timeout of one flight (`loaderSoftTimeoutMs`). */
export class SoftTimeout extends Expiring {
  readonly #flight: SoftTimeoutTarget;

  constructor(flight: SoftTimeoutTarget) {
    super();
    this.#flight = flight;
  }

  override expire(): void {
    this.#flight.expireSoftTimeout();
  }
}

/** The error of a load that exceeded `loaderTimeoutMs`. */
export function loadTimeoutError(timeoutMs: number): TimeoutError {
  return new TimeoutError(`A load took longer than ${timeoutMs} ms`, timeoutMs);
}
