import type { Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';

/** Options of `take`, `tryTake` and `penalize`. */
export interface CostOptions {
  /** Tokens to take, above 0; fractions are allowed. Default: 1. */
  cost?: number;
}

/** Options of `peek`. */
export interface PeekOptions {
  /** Tokens that are asked about, 0 or more. Default: 0, which returns what is left. */
  cost?: number;
}

/** Options of `wait`. */
export interface WaitOptions extends CostOptions {
  /**
   * The longest wait, in milliseconds, 0 or more; a longer one is rejected at once. Default: what is left of the
   * deadline of the current unit of work, else 30 000.
   */
  maxWaitMs?: number;
  /** Ends the wait and gives the tokens back. Default: the signal of the current unit of work. */
  signal?: AbortSignal;
}

/** Options of `reserve`. */
export interface ReserveOptions extends CostOptions {
  /** The longest acceptable wait, in milliseconds, 0 or more. Default: 30 000. */
  maxWaitMs?: number;
}

/** Options of `refund`. */
export interface RefundOptions extends CostOptions {
  /**
   * The decision that took the tokens: keeps the refund out of a newer window, and out of the store if it was `degraded`,
   * since the store was not charged. Default: none.
   */
  decision?: Decision;
}

/** Reserved tokens. */
export interface Reservation {
  /** Whether the tokens are reserved. If not, nothing was taken. */
  readonly allowed: boolean;
  /** How long to wait before using the tokens, in milliseconds from the moment of the reservation. */
  readonly waitMs: number;
  /** The decision behind it. */
  readonly decision: Decision;
  /** Gives the tokens back, as far as nobody has reserved anything after them. A second call does nothing. */
  cancel(): Promise<void>;
}

/**
 * What a limiter has counted, and its current state. The store adds counts of its own. The metrics report the same
 * numbers.
 */
export interface RateLimiterStats extends Readonly<Record<string, number>> {
  /** Requests that were allowed. */
  readonly allowed: number;
  /** Requests that were denied. */
  readonly denied: number;
  /** Requests that were let through although a limit denied them (`shadow`, `enforce`). */
  readonly shadowed: number;
  /** Decisions that were made without the store. Included in the others. */
  readonly degraded: number;
  /** Calls of `wait` that wait now. */
  readonly waiting: number;
}

/** Limits what each key may do. Created by `createRateLimiter`. A key is any string that is not empty. */
export interface RateLimiter extends AsyncDisposable {
  /** The name from the options. */
  readonly name: string;
  /**
   * Takes tokens if all limits allow it. A denial is a result (`allowed` is false) and takes nothing.
   * @throws CostAboveCapacityError (`MAC_COST_ABOVE_CAPACITY`) for a cost that the limits can never hold, OptionsError
   * (`MAC_INVALID_OPTIONS`) for a wrong cost or key, and RateLimitStoreError (`MAC_RATE_LIMIT_STORE`) with
   * `onStoreFailure: 'closed'` while the store does not respond.
   */
  take(key: string, options?: CostOptions): Promise<Decision>;
  /**
   * Like `take`, synchronously: with the memory store, or from tokens leased ahead (`lease`).
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) when the store cannot decide synchronously, and RateLimitStoreError
   * (`MAC_RATE_LIMIT_STORE`) when too few tokens are leased.
   */
  tryTake(key: string, options?: CostOptions): Decision;
  /**
   * Takes as many whole tokens as there are, up to `most`, a whole number of at least 1. `granted` says how many.
   * Denied when there is none.
   */
  takeUpTo(key: string, most: number): Promise<Decision>;
  /** Returns what would be decided. Changes nothing. */
  peek(key: string, options?: PeekOptions): Promise<Decision>;
  /**
   * Takes tokens that may be used after a wait. Requires that all limits are token buckets.
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) for other limits.
   */
  reserve(key: string, options?: ReserveOptions): Promise<Reservation>;
  /**
   * Takes tokens, waiting for them if necessary. Token buckets serve in order; other limits are asked again each time
   * their `retryAfterMs` has passed.
   * @throws RateLimitedError (`MAC_RATE_LIMITED`) at once when the wait would be longer than `maxWaitMs`, ClosedError
   * (`MAC_CLOSED`) when the limiter is closed meanwhile, and the reason of the signal.
   */
  wait(key: string, options?: WaitOptions): Promise<Decision>;
  /**
   * Gives tokens back, never more than were taken. With `decision`, a fixed or sliding window or a log gives them back to
   * the moment at which they were taken. A token bucket does not keep such moments: it gives back at most what cannot have
   * flowed back since, so late refunds of several decisions can together free a few tokens too early.
   */
  refund(key: string, options?: RefundOptions): Promise<void>;
  /** Takes tokens even if they are not there: the key has to pay them off before it is allowed anything. */
  penalize(key: string, options?: CostOptions): Promise<void>;
  /**
   * Denies the key everything for `durationMs` milliseconds, above 0, also after `setLimits`. What is reserved meanwhile
   * can be used after it, as the limits allow. While the store does not respond, a process knows its own blocks only.
   */
  block(key: string, durationMs: number): Promise<void>;
  /**
   * Forgets what the key took, and that it was blocked. A key that shares a state with others, in a full memory store, is
   * only unblocked.
   */
  reset(key: string): Promise<void>;
  /**
   * Ends the permit that a `concurrency` limit granted; false when it had expired, there is none, or the store did not
   * respond: then it may end only by expiry.
   */
  release(key: string, decision: Decision): Promise<boolean>;
  /**
   * Extends a permit by `permitTtlMs` from now; call it at a third of that. False when it had expired, or the store did
   * not respond: then call it again.
   */
  renew(key: string, decision: Decision): Promise<boolean>;
  /**
   * Replaces the limits, also for keys that are in use: each key keeps the ratio that it has used up. A limit is
   * matched by its kind and its name, or by its position where it has no name of its own; a new one starts empty.
   * Processes that share a store may change at different times.
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a list that `createRateLimiter` would reject; nothing is changed
   * then.
   */
  setLimits(limits: readonly Limit[]): void;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created, and its current state. */
  stats(): RateLimiterStats;
  /** Ends waits with `MAC_CLOSED`, gives back tokens leased ahead, and closes the store if this limiter created it. */
  close(): Promise<void>;
}
