/** What a cache counts about its shared tier; all 0 without one. */
export interface TierStats {
  /** Reads of the tier that found a fresh value. */
  readonly l2Hits: number;
  /** Reads of the tier that found a value that may only be served stale. */
  readonly l2StaleHits: number;
  /** Reads of the tier that found no value to serve. */
  readonly l2Misses: number;
  /**
   * Misses because of an entry that could not be read, such as one that another version has written. Included in
   * `l2Misses`.
   */
  readonly l2Unreadable: number;
  /**
   * Operations sent to the tier. The reads of one turn of the event loop are one operation: up to 500 keys with Redis, 1
   * in a cluster.
   */
  readonly l2Calls: number;
  /** Operations that failed, timeouts not included. */
  readonly l2Errors: number;
  /** Operations that exceeded the time limit. */
  readonly l2Timeouts: number;
  /** Operations that were not sent, because the circuit breaker was open. */
  readonly l2Refused: number;
  /** Loaded values that were stored in the tier. */
  readonly l2Fills: number;
  /** Loads that were left to another instance while a stale value was served here. */
  readonly waived: number;
  /** Keys and tags whose invalidation the tier has not acknowledged yet. It is repeated until it has. */
  readonly unsettled: number;
  /** Invalidations that were repeated after a failure. */
  readonly replayed: number;
  /** How often changes of other instances were missed, so that the memory was cleared. */
  readonly gaps: number;
  /** 1 while changes of other instances should arrive and do not, otherwise 0. */
  readonly disconnected: number;
  /** How long the latest change took to arrive, in milliseconds. */
  readonly coherenceLagMs: number;
}

/** The statistics of a cache without a shared tier. */
export const NO_TIER: TierStats = {
  l2Hits: 0,
  l2StaleHits: 0,
  l2Misses: 0,
  l2Unreadable: 0,
  l2Calls: 0,
  l2Errors: 0,
  l2Timeouts: 0,
  l2Refused: 0,
  l2Fills: 0,
  waived: 0,
  unsettled: 0,
  replayed: 0,
  gaps: 0,
  disconnected: 0,
  coherenceLagMs: 0,
};
