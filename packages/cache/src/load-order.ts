import type { Entry } from './entry.ts';
import type { FlightContext, Members } from './flight.ts';
import type { SetOptions } from './options.ts';

/** What is to be loaded, and how. */
export interface LoadOrder<T> {
  /** The key as it is kept. */
  readonly id: string;
  /** The key as the caller wrote it. */
  readonly key: string;
  readonly load: (context: FlightContext<T>) => unknown;
  readonly options: SetOptions;
  readonly stale: Entry<T> | undefined;
  /** When it was asked for, on the monotonic clock. */
  readonly at: number;
  /** Nobody waits for it: it must not see the context of the call that happened to begin it. */
  readonly background: boolean;
  /** It takes a place among the loads in flight. Not so for a key of a batch, which has one place for all. */
  readonly gated: boolean;
  /** How to load once the batch has gone without it. */
  readonly reload: (context: FlightContext<T>) => unknown;
  /** Nothing that was loaded before will do. */
  readonly fresh: boolean;
  /** The batch that waits for this key, until it is loaded or does not want to be. */
  readonly batch: Members | undefined;
}
