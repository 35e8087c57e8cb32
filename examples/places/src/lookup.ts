// The one thing the two variants of the service do differently: how they ask the gazetteer.
import type { Place } from './place.ts';

export interface Lookup {
  find(name: string): Promise<Place[]>;
  /** What the variant has done so far, for the report. */
  activity(): Activity;
  close(): Promise<void>;
}

export interface Activity {
  /** The longest `find` may take; undefined when nothing limits it. */
  timeoutMs?: number;
  /** Requests sent to the gazetteer, first tries and retries. */
  attempts: number;
  retries: number;
  /** Retries that were not made because the retry budget was spent. */
  budgetRefusals: number;
  /** Calls answered at once, without a request, because the circuit was open. */
  circuitRefusals: number;
  transitions: Transition[];
}

/** A change of state of the circuit breaker. `atMs` is epoch time, so that other processes can place it. */
export interface Transition {
  atMs: number;
  from: string;
  to: string;
}

/** Why a lookup failed, as the status that our own caller is answered with. */
export class LookupError extends Error {
  override name = 'LookupError';
  readonly status: 502 | 503 | 504;

  constructor(status: 502 | 503 | 504, message: string, cause: unknown) {
    super(message, { cause });
    this.status = status;
  }
}
