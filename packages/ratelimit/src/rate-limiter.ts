import type { Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';

export interface CostOptions {
  /** Tokens, above 0; fractions are allowed. Default: 1. */
  cost?: number;
}

export interface PeekOptions {
  /** Asks whether this many could be taken, 0 or more. Default: 0, which tells what is left. */
  cost?: number;
}

export interface WaitOptions extends CostOptions {
  /**
   * The longest wait, in milliseconds: a longer one is refused at once, not at its end. Default: what is left of the deadline
   * of the current unit of work, else 30 000.
   */
  maxWaitMs?: number;
  /** Ends the wait and gives the tokens back. Default: what cancels the current unit of work. */
  signal?: AbortSignal;
}

export interface ReserveOptions extends CostOptions {
  /** The longest wait to accept, in milliseconds, 0 or more. Default: 30 000. */
  maxWaitMs?: number;
}

export interface RefundOptions extends CostOptions {
  /** The decision that took them: keeps the refund out of a newer window. Default: unknown. */
  decision?: Decision;
}

/** Tokens that were promised. */
export interface Reservation {
  /** Whether they were; nothing was taken otherwise. */
  readonly allowed: boolean;
  /** How long to wait before using them, in milliseconds from the moment of the promise. */
  readonly waitMs: number;
  readonly decision: Decision;
  /** Gives them back, as far as nobody was promised anything after them. Does nothing a second time. */
  cancel(): Promise<void>;
}

/** Limits what each key may do. Made by `createRateLimiter`. */
export interface RateLimiter extends AsyncDisposable {
  readonly name: string;
  /**
   * Takes tokens if all limits allow it; a denial changes nothing. Rejects for a cost above what the limits can ever hold
   * (`MAC_COST_ABOVE_CAPACITY`), a wrong cost or key (`MAC_INVALID_OPTIONS`), and with `onStoreFailure: 'closed'` while the
   * store does not answer (`MAC_RATE_LIMIT_STORE`). It never rejects for being over a limit.
   */
  take(key: string, options?: CostOptions): Promise<Decision>;
  /**
   * `take` without a promise: with the memory store, or out of what was borrowed ahead (`lease`). Throws `MAC_INVALID_OPTIONS` when
   * the store never answers at once, and `MAC_RATE_LIMIT_STORE` when there is no loan that is large enough.
   */
  tryTake(key: string, options?: CostOptions): Decision;
  /** Takes as many whole tokens as there are, up to `most`, a whole number of at least 1: `granted` says how many. Denied when there is none. */
  takeUpTo(key: string, most: number): Promise<Decision>;
  /** What would be decided. Changes nothing. */
  peek(key: string, options?: PeekOptions): Promise<Decision>;
  /** Takes tokens that may be used later. For limits that are all token buckets; throws `MAC_INVALID_OPTIONS` otherwise. */
  reserve(key: string, options?: ReserveOptions): Promise<Reservation>;
  /**
   * Takes tokens, waiting for them if need be. Token buckets serve in the order of asking; other limits are asked again each
   * time their `retryAfterMs` has passed.
   * @throws RateLimitedError (`MAC_RATE_LIMITED`) at once when the wait would be longer than allowed.
   */
  wait(key: string, options?: WaitOptions): Promise<Decision>;
  /** Gives tokens back; never more than were taken. */
  refund(key: string, options?: RefundOptions): Promise<void>;
  /** Takes tokens that may not be there: the key pays them off before it is allowed anything. */
  penalize(key: string, options?: CostOptions): Promise<void>;
  /** Denies the key everything for so long, in milliseconds above 0. */
  block(key: string, durationMs: number): Promise<void>;
  /** Forgets what the key took, and that it was blocked. */
  reset(key: string): Promise<void>;
  /** Ends the permit of a `concurrency` limit; false when it had run out, or there is none. */
  release(key: string, decision: Decision): Promise<boolean>;
  /** Lets a permit last another `permitTtlMs`: call it at a third of that. False when it had run out. */
  renew(key: string, decision: Decision): Promise<boolean>;
  /**
   * From now on, these limits hold, also for keys that are in use: of what a key has used up, the share stays the same. A limit
   * goes by its name, or by its place in the list where it has none of its own, and by its kind; one that is new begins afresh. Processes
   * that share a store may change at different times. Throws `MAC_INVALID_OPTIONS` for a list that `createRateLimiter` would
   * refuse, and changes nothing then.
   */
  setLimits(limits: readonly Limit[]): void;
  describe(): string;
  stats(): Readonly<Record<string, number>>;
  /** Ends waits with an error, gives back what was borrowed ahead, and closes the store if this limiter made it. */
  close(): Promise<void>;
}
