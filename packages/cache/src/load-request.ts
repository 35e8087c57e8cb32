import type { Entry } from './entry.ts';
import type { FlightContext } from './flight-context.ts';
import type { PendingBatch } from './flight.ts';
import type { SetOptions } from './options.ts';

/** What to load for one key, and how. */
export interface LoadRequest<T> {
  /** The storage key. */
  readonly id: string;
  /** The key as the caller passed it. */
  readonly key: string;
  readonly load: (context: FlightContext<T>) => unknown;
  readonly options: SetOptions;
  readonly stale: Entry<T> | undefined;
  /** When the load was requested, on the monotonic clock. `loaderTimeoutMs` counts from here. */
  readonly requestedAt: number;
  /** No caller waits for the result. The load must not see the context of the call that happened to start it. */
  readonly background: boolean;
  /**
   * Whether the load takes one of the `maxConcurrentLoads` slots. A key of a batch does not: the batch takes one slot
   * for all its keys.
   */
  readonly takesSlot: boolean;
  /** Loads the key by itself once its batch was sent without it. The same as `load` without a batch. */
  readonly loadAlone: (context: FlightContext<T>) => unknown;
  /** The caller asked for a value that is loaded now (`fresh: true`). */
  readonly fresh: boolean;
  /** The batch that waits until it is known whether this key has to be loaded. */
  readonly batch: PendingBatch | undefined;
}
