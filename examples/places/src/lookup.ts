// What both variants of the lookup have in common. They differ only in how they call the gazetteer.
import type { Place } from './place.ts';

export interface Lookup {
  find(name: string): Promise<Place[]>;
  /** Counts since the start, for the report. */
  activity(): Activity;
  close(): Promise<void>;
}

export interface Activity {
  /** The time limit of `find`; undefined without one. */
  timeoutMs?: number;
  /** Requests sent to the gazetteer, including retries. */
  attempts: number;
  retries: number;
  /** Calls that were not retried because the retry budget was empty. */
  budgetRefusals: number;
  /** Calls rejected without a request because the circuit was open. */
  circuitRefusals: number;
  transitions: Transition[];
}

/** A state change of the circuit breaker. `atMs` is epoch time, which other processes can compare. */
export interface Transition {
  atMs: number;
  from: string;
  to: string;
}

/** A lookup that failed, with the status for the response to our own caller. */
export class LookupError extends Error {
  override name = 'LookupError';
  readonly status: 502 | 503 | 504;

  constructor(status: 502 | 503 | 504, message: string, cause: unknown) {
    super(message, { cause });
    this.status = status;
  }
}
