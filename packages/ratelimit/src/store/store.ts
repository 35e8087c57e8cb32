import type { Clock, Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { LeaseOptions } from './leased-table.ts';

/** What a limiter passes to a store when it opens its table. */
export interface TableOptions {
  /** The name of the limiter. Keys of limiters with different names are separate. */
  readonly name: string;
  /** The limits of the limiter. */
  readonly limits: readonly Limit[];
  /** The clock of the limiter. */
  readonly clock: Clock;
  /** The source of randomness of the limiter. */
  readonly random: Random;
}

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/**
 * How many of the tokens must be available. `all`: all of them. `upTo`: takes as many as there are. `peek`: takes
 * nothing and only looks.
 */
export type TakeMode = 'all' | 'peek' | 'upTo';

/** One of several requests that a table decides together. */
export interface TakeRequest {
  /** The table that it asks. */
  readonly table: LimitTable;
  /** The key that is charged. */
  readonly key: string;
  /** Tokens to take, above 0. */
  readonly cost: number;
  /** A bit for each limit that may not deny this key, bit 0 for the first. */
  readonly watching: number;
}

/** What a store reserved. Where `decision.allowed` is false, nothing has changed. */
export interface StoreReservation {
  /** The decision. */
  readonly decision: Decision;
  /** When the tokens may be used, in milliseconds from now. */
  readonly waitMs: number;
  /** The same moment on the clock of the store. */
  readonly actAt: number;
}

/**
 * The keys of one limiter in a store. Implemented by those who write a store. Every operation is atomic, and a denial
 * changes nothing, not even how long a key is kept. A table whose `synchronous` is true never returns promises.
 */
export interface LimitTable {
  /** Whether every operation returns at once. */
  readonly synchronous: boolean;
  /** Decides about one request. `watching` has a bit for each limit that may not deny this key, bit 0 for the first. */
  take(key: string, cost: number, mode: TakeMode, watching?: number): Awaitable<Decision>;
  /**
   * Decides about many requests in one step, each by itself as `take` would with `all`. Omit it where that saves
   * nothing.
   */
  readonly takeEach?: ((requests: readonly TakeRequest[]) => Promise<readonly Decision[]>) | undefined;
  /**
   * Takes for all of `requests`, the first of which is to this table, or for none, in one step. Undefined when their
   * tables cannot act as one; nothing was taken then.
   */
  takeTogether?(requests: readonly TakeRequest[]): Awaitable<readonly Decision[] | undefined>;
  /** The table that decides without tokens leased ahead. Default: this one. */
  readonly exact?: LimitTable;
  /**
   * The table that decides while this one does not respond. What a `degraded` decision took is given back to it, since
   * this one was not charged. Default: none, where such decisions charge nothing.
   */
  readonly fallback?: LimitTable | undefined;
  /** Decides from tokens leased ahead, synchronously; undefined when there are not enough. */
  takeNow?(key: string, cost: number): Decision | undefined;
  /**
   * Takes tokens now that may be used after a wait of at most `maxWaitMs`. Called only when all limits are reservable.
   */
  reserve(key: string, cost: number, maxWaitMs: number): Awaitable<StoreReservation>;
  /** Undoes a `reserve`. */
  cancel(key: string, cost: number, actAt: number): Awaitable<void>;
  /** Charges unconditionally (`amount` above 0), or gives back (below 0) what was taken at `stamp`. */
  charge(key: string, amount: number, stamp: number | undefined): Awaitable<void>;
  /**
   * Denies the key everything for `durationMs`, also after `setLimits`, except where all limits only watch. A `reserve`
   * meanwhile takes the tokens when the block ends.
   */
  block(key: string, durationMs: number): Awaitable<void>;
  /** Forgets what the key took, and that it was blocked. */
  reset(key: string): Awaitable<void>;
  /** Ends a permit; false when it had already ended. */
  release(key: string, permit: number): Awaitable<boolean>;
  /** Extends a permit; false when it had already ended. */
  renew(key: string, permit: number): Awaitable<boolean>;
  /** Replaces the limits. Each key keeps the ratio that it has used up. */
  setLimits(limits: readonly Limit[]): void;
  /** Returns counts as plain numbers. */
  stats(): Readonly<Record<string, number>>;
  /** Gives back what is held, such as leased tokens. */
  close?(): Promise<void>;
}

/**
 * Where limiters keep their state. Made by `memoryStore` and `redisStore`; `storeContract` of
 * `@macadam/ratelimit/testing` tests one of your own.
 */
export interface RateLimitStore {
  /** A word for metrics and descriptions, such as `redis`. */
  readonly kind: string;
  /** How long a limiter waits for the store, in milliseconds. Ignored where tables are synchronous. Default: 50. */
  readonly timeoutMs?: number;
  /** How tokens are leased ahead. Ignored where tables are synchronous. Default: not at all. */
  readonly lease?: Required<LeaseOptions>;
  /** Opens the table of one limiter. */
  open(options: TableOptions): LimitTable;
  /** Returns the effective options in words. */
  describe(): string;
  /** Releases what the store itself holds. A client that was passed in stays open. */
  close(): Promise<void>;
}
