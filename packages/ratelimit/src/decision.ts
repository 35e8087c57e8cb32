/** What one limit says to one request. */
export interface LimitDecision {
  readonly allowed: boolean;
  /** The most that can be left: the limit, or the burst where that is larger. */
  readonly limit: number;
  /** What is left after this decision, a whole number from 0 to `limit`. */
  readonly remaining: number;
  /**
   * When the same request would be allowed if nobody else takes anything, in whole milliseconds: 0 when it is allowed,
   * `Infinity` when it costs more than can ever be had.
   */
  readonly retryAfterMs: number;
  /** When everything is available again if nobody takes anything, in whole milliseconds. */
  readonly resetAfterMs: number;
}

/**
 * Where a decision was made: in this process' memory, from tokens leased ahead, in the shared store, from the memory of
 * an earlier denial, or in what stands in for a store that does not answer.
 */
export type DecisionSource = 'memory' | 'lease' | 'store' | 'denyCache' | 'fallback';

/** What one of several limits said, with its name. */
export interface PolicyDecision extends LimitDecision {
  /** The limit's name. */
  readonly policy: string;
  /** The limit's period, in milliseconds; 0 for a limit on how many are at work at once. */
  readonly periodMs: number;
}

/** The answer to a request for tokens. With several limits, it speaks for the one that matters most. */
export interface Decision extends PolicyDecision {
  readonly source: DecisionSource;
  /** Whether it was made without the shared store, because that did not answer. */
  readonly degraded: boolean;
  /** Tokens taken: the cost, or what there was for `takeUpTo`; 0 when denied. */
  readonly granted: number;
  /** When it was made, in milliseconds on the store's own clock: what `refund` uses to find the window. */
  readonly stamp: number;
  /** All limits in their order, when there are several. */
  readonly policies?: readonly PolicyDecision[];
  /** The id of the permit, when a `concurrency` limit granted one: hand the decision to `release` when done. */
  readonly permit?: number;
  /** Present in shadow mode: what would have been decided. `allowed` is then always true. */
  readonly wouldAllow?: boolean;
}
