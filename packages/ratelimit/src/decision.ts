/** The decision of one limit about one request. */
export interface LimitDecision {
  /** Whether the request is allowed. */
  readonly allowed: boolean;
  /** The maximum of `remaining`: the limit, or the burst where that is larger. */
  readonly limit: number;
  /** Tokens left after this decision, a whole number from 0 to `limit`. */
  readonly remaining: number;
  /**
   * When the same request would be allowed if nobody else takes tokens, in whole milliseconds: 0 when it is allowed,
   * `Infinity` when it costs more than can ever be available.
   */
  readonly retryAfterMs: number;
  /** When all tokens are available again if nobody takes any, in whole milliseconds. */
  readonly resetAfterMs: number;
}

/**
 * Where a decision was made. `memory`: in this process. `lease`: from tokens leased ahead. `store`: in the shared
 * store. `denyCache`: from the memory of an earlier denial. `fallback`: by `onStoreFailure`, since the store did not
 * respond.
 */
export type DecisionSource = 'memory' | 'lease' | 'store' | 'denyCache' | 'fallback';

/** The decision of one of several limits, with its name. */
export interface PolicyDecision extends LimitDecision {
  /** The name of the limit. */
  readonly policy: string;
  /** The period of the limit, in milliseconds; 0 for a `concurrency` limit. */
  readonly periodMs: number;
}

/** The answer to a request for tokens. With several limits, its numbers are those of the most restrictive one. */
export interface Decision extends PolicyDecision {
  /** Where the decision was made. */
  readonly source: DecisionSource;
  /** Whether it was made without the shared store, because the store did not respond. */
  readonly degraded: boolean;
  /** Tokens taken: the cost, or what was available for `takeUpTo`; 0 when denied. */
  readonly granted: number;
  /**
   * When it was made, or from when on reserved tokens may be used, in milliseconds on the clock of the store. `refund`
   * uses it to find the window.
   */
  readonly stamp: number;
  /** The decisions of all limits, in their order; undefined when there is only one. */
  readonly policies?: readonly PolicyDecision[];
  /** The id of the permit that a `concurrency` limit granted. Pass the decision to `release` when the work is done. */
  readonly permit?: number;
  /**
   * What would have been decided, where a denial was not enforced (`shadow`, `enforce`); `allowed` is then true.
   * Undefined otherwise.
   */
  readonly wouldAllow?: boolean;
}
