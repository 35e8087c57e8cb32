import type { Clock, Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { LeaseOptions } from './leased-table.ts';

/** What a limiter tells the store about itself. */
export interface TableOptions {
  /** The limiter's name: keys of limiters with different names never meet. */
  readonly name: string;
  readonly limits: readonly Limit[];
  /** The limiter's. */
  readonly clock: Clock;
  readonly random: Random;
}

/** A value now, or later. */
export type Awaitable<T> = T | Promise<T>;

/**
 * How many of the tokens asked for must be there: `all`, or as many as there are (`upTo`), or none are taken and the state is
 * only looked at (`peek`).
 */
export type TakeMode = 'all' | 'peek' | 'upTo';

/** One of several requests. */
export interface TakeRequest {
  readonly table: LimitTable;
  readonly key: string;
  readonly cost: number;
  readonly watching: number;
}

/** What was promised. Without promise (`allowed` false) nothing has changed. */
export interface StoreReservation {
  readonly decision: Decision;
  /** When the tokens may be used, in milliseconds from now. */
  readonly waitMs: number;
  /** The same moment on the store's clock. */
  readonly actAt: number;
}

/**
 * The keys of one limiter in a store. Every operation is atomic: no other is seen halfway, and a denial changes nothing, not
 * even how long a key is kept.
 *
 * Answers of a table whose `synchronous` is true are never promises.
 */
export interface LimitTable {
  readonly synchronous: boolean;
  /** `watching` has a bit for each limit that may not deny this key, bit 0 for the first. */
  take(key: string, cost: number, mode: TakeMode, watching?: number): Awaitable<Decision>;
  /**
   * Answers many requests in one step, each for itself as `take` would with `all`. Left out where that saves nothing.
   */
  readonly takeEach?: ((asks: readonly TakeRequest[]) => Promise<readonly Decision[]>) | undefined;
  /**
   * Takes for all of `asks`, of which the first is to this table, or for none, in one step. Undefined when their tables cannot
   * act as one; nothing was taken then.
   */
  takeTogether?(asks: readonly TakeRequest[]): Awaitable<readonly Decision[] | undefined>;
  /** The table that decides without tokens that were borrowed ahead. Default: this one. */
  readonly exact?: LimitTable;
  /** Decides without asking, where tokens were borrowed ahead; undefined when there are not enough. */
  takeNow?(key: string, cost: number): Decision | undefined;
  /** Takes now what may be used after a wait of at most `maxWaitMs`. Only asked for when all limits are reservable. */
  reserve(key: string, cost: number, maxWaitMs: number): Awaitable<StoreReservation>;
  /** Undoes `reserve`. */
  cancel(key: string, cost: number, actAt: number): Awaitable<void>;
  /** Charges without asking (`amount` above 0), or gives back (below 0) what was taken at `stamp`. */
  charge(key: string, amount: number, stamp: number | undefined): Awaitable<void>;
  /** Denies the key everything for so long. */
  block(key: string, durationMs: number): Awaitable<void>;
  /** Forgets the key, and that it was blocked. */
  reset(key: string): Awaitable<void>;
  /** Ends a permit; false when it was over already. */
  release(key: string, permit: number): Awaitable<boolean>;
  /** Prolongs a permit; false when it was over already. */
  renew(key: string, permit: number): Awaitable<boolean>;
  /** From now on these limits hold. Of what a key has used up, the share stays the same. */
  setLimits(limits: readonly Limit[]): void;
  /** Counts, as plain numbers. */
  stats(): Readonly<Record<string, number>>;
  /** Gives back what is held. */
  close?(): Promise<void>;
}

/** Where limiters keep their state. Made by `memoryStore` and `redisStore`; `storeContract` proves one of your own. */
export interface RateLimitStore {
  readonly kind: string;
  /** How long a limiter waits for an answer, in milliseconds. Ignored where tables are synchronous. Default: 50. */
  readonly timeoutMs?: number;
  /** Whether tokens are borrowed ahead. Ignored where tables are synchronous. Default: no. */
  readonly lease?: Required<LeaseOptions>;
  open(options: TableOptions): LimitTable;
  describe(): string;
  /** Lets go of what the store itself holds. A client that was handed in stays open. */
  close(): Promise<void>;
}
