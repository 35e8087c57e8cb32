/** What a cache counts of its shared tier; all 0 without one. */
export interface TierStats {
  /** Reads of the tier that found a fresh value. */
  readonly l2Hits: number;
  /** Reads of the tier that found a value that may only serve as stale. */
  readonly l2StaleHits: number;
  /** Reads of the tier that found nothing that may serve. */
  readonly l2Misses: number;
  /** Of the misses: what could not be read, such as what another version has written. */
  readonly l2Unreadable: number;
  /** Operations that were sent; reads of one turn of the event loop are one, up to 64 of them. */
  readonly l2Calls: number;
  readonly l2Errors: number;
  readonly l2Timeouts: number;
  /** Operations that were not sent, because the circuit breaker was open. */
  readonly l2Refused: number;
  /** Loaded values that were stored in the tier. */
  readonly l2Fills: number;
  /** Loads that another instance had taken upon itself, for which a stale value served here. */
  readonly waived: number;
  /** Keys and tags whose ending the tier has not acknowledged: under way, or to be done again. */
  readonly unsettled: number;
  /** Endings that were done again after they had failed. */
  readonly replayed: number;
  /** How often changes of other instances were missed, and the memory was emptied for that. */
  readonly gaps: number;
  /** 1 while changes of other instances should arrive and do not, else 0. */
  readonly disconnected: number;
  /** How long a change takes to arrive, as measured the last time, in milliseconds. */
  readonly coherenceLagMs: number;
}

/** Of a cache without one. */
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
