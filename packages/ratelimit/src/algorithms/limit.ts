import { assertDurationMs, assertInteger, assertNumber, assertText, OptionsError } from '@macadam/core';
import type { LimitDecision } from '../decision.ts';

/**
 * The state of one key under one limit, as plain numbers: stores keep them in typed arrays, scripts in Redis. All zeros
 * (or nothing) is the state of an unused key.
 */
export type StateNumbers = Float64Array | number[];

/** The algorithm of a limit, by the name of the function that makes it. */
export type LimitKind = 'concurrency' | 'fixedWindow' | 'slidingLog' | 'slidingWindow' | 'tokenBucket';

/** The result of `Limit.step`. A denial returns the state it was given. */
export interface LimitStep {
  /** The decision. */
  readonly decision: LimitDecision;
  /** The state after it. */
  readonly next: readonly number[];
}

/**
 * A limit: an algorithm and its numbers. Made by `tokenBucket` and its kin; only stores call its functions. It holds no
 * state and reads no clock: the caller passes both. `now` is in milliseconds from any origin and never goes back within
 * a key: an earlier reading counts as the latest one seen.
 *
 * `step` is the whole rule as a pure function. Stores use its halves, `look` and `commit`, so that several limits can
 * be asked before any is charged.
 */
export interface Limit {
  /** The algorithm. */
  readonly kind: LimitKind;
  /** Name in decisions, header fields and store keys. */
  readonly name: string;
  /** Tokens per period, or permits. */
  readonly limit: number;
  /** The period, in milliseconds; 0 for a `concurrency` limit. */
  readonly periodMs: number;
  /** The maximum cost of one request. */
  readonly capacity: number;
  /** How many numbers its state has; 0 when that varies. */
  readonly width: number;
  /** The numbers that a script of a store needs, in the order it expects. */
  readonly parameters: readonly number[];
  /** Ratio of keys for which denials count, 0 to 1; for the other keys it only observes. */
  readonly enforce: number;

  /** Decides: takes state, now and cost, returns the decision and the next state. Cost 0 asks without taking. */
  step(state: readonly number[], now: number, cost: number): LimitStep;
  /** Returns what would be decided, written into `into` if given. Changes nothing. */
  look(state: StateNumbers, base: number, now: number, cost: number, into?: MutableDecision): LimitDecision;
  /** Charges what `look` has allowed. */
  commit(state: StateNumbers, base: number, now: number, cost: number, id: number): void;
  /** Charges unconditionally (`amount` above 0), or gives back (below 0) what was taken at `stamp`. */
  charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void;
  /** When the state equals that of an unused key again, on the same timeline as `now`. */
  expiresAt(state: StateNumbers, base: number): number;
  /**
   * Converts a state kept under `parameters` of a limit of the same kind into one of this limit, with the same ratio of
   * the capacity in use. `from` and `into` may be the same numbers only if they have the same width.
   */
  inherit(
    from: StateNumbers,
    fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    base: number,
    now: number,
  ): void;
  /** Returns the same limit divided among `parts` processes that do not know of each other. */
  share(parts: number): Limit;
  /** Returns the limit and its period in words. */
  describe(): string;
}

/** A limit whose tokens can be reserved. Made by `tokenBucket`. */
export interface ReservableLimit extends Limit {
  /** How long until `cost` may be used if it is charged now, in whole milliseconds. */
  waitMs(state: StateNumbers, base: number, now: number, cost: number): number;
  /** Gives back a reservation that is due at `actAt`, as far as nobody has reserved anything after it. */
  cancel(state: StateNumbers, base: number, now: number, cost: number, actAt: number): void;
}

/** A limit of concurrent permits. Made by `concurrency`. */
export interface PermitLimit extends Limit {
  /** Ends the permit; false when it had already ended. */
  release(state: StateNumbers, base: number, now: number, id: number): boolean;
  /** Extends the permit by `permitTtlMs` from now; false when it had already ended. */
  renew(state: StateNumbers, base: number, now: number, id: number): boolean;
}

export function isReservable(limit: Limit): limit is ReservableLimit {
  return limit.kind === 'tokenBucket';
}

export function assertReservable(limits: readonly Limit[]): void {
  const other = limits.find((limit) => !isReservable(limit));
  if (other !== undefined) throw new OptionsError('reserve', `a ${other.kind}`, 'used with token buckets only');
}

export function isPermitLimit(limit: Limit): limit is PermitLimit {
  return limit.kind === 'concurrency';
}

/**
 * Tolerance for rounding errors in sums of fractional costs, in tokens: a billionth of the capacity, and never more than a
 * thousandth of a token.
 */
export function slackOf(capacity: number): number {
  return Math.min(capacity * 1e-9, 1e-3);
}

/** Rounds what is left down to a whole number from 0 to `max`. */
export function wholeRemaining(left: number, max: number, slack: number): number {
  return left <= 0 ? 0 : Math.min(max, Math.floor(left + slack));
}

/**
 * Tolerance for rounding errors in sums of clock readings: a window ends a microsecond early. Otherwise a retry exactly
 * after `retryAfterMs` could be denied and told to wait another millisecond.
 */
export const TICK_MS = 1e-3;

/** Rounds a wait up to whole milliseconds, since a retry must not come too early. Ignores rounding errors below 1e-12. */
export function wholeMs(waitMs: number): number {
  return waitMs <= 0 ? 0 : Math.ceil(waitMs * (1 - 1e-12));
}

/** A {@link LimitDecision} that is being filled in. */
export type MutableDecision = { -readonly [Field in keyof LimitDecision]: LimitDecision[Field] };

/** Creates the decision for a `look` without `into`. */
export function emptyDecision(): MutableDecision {
  return { allowed: false, limit: 0, remaining: 0, retryAfterMs: 0, resetAfterMs: 0 };
}

/** Fills in a decision that the caller has created, so that a decision on the hot path allocates one object. */
export function fillDecision(
  into: MutableDecision,
  allowed: boolean,
  limit: number,
  remaining: number,
  retryAfterMs: number,
  resetAfterMs: number,
): LimitDecision {
  into.allowed = allowed;
  into.limit = limit;
  into.remaining = remaining;
  into.retryAfterMs = retryAfterMs;
  into.resetAfterMs = resetAfterMs;
  return into;
}

/** `Limit.step` in terms of `look` and `commit`. */
export function stepOf(limit: Limit, state: readonly number[], now: number, cost: number): LimitStep {
  const next = state.length === 0 ? new Array<number>(limit.width).fill(0) : [...state];
  const decision = limit.look(next, 0, now, cost);
  if (!decision.allowed || cost === 0) return { decision, next: state };
  limit.commit(next, 0, now, cost, 0);
  return { decision, next };
}

/** Checks the options that all limits by rate have. */
export function assertLimitOptions(path: string, { limit, periodMs, name, enforce }: LimitOptions): void {
  assertInteger(`${path}.limit`, limit, { min: 1, max: 1e12 });
  assertDurationMs(`${path}.periodMs`, periodMs, { min: 1, max: MAX_PERIOD_MS });
  if (name !== undefined) assertLimitName(`${path}.name`, name);
  if (enforce !== undefined) assertNumber(`${path}.enforce`, enforce, { min: 0, max: 1 });
}

/** Names are sent in header fields and are part of store keys, so their characters are restricted. */
export function assertLimitName(path: string, name: string): void {
  assertText(path, name);
  if (!/^[\w .:/-]{1,64}$/.test(name)) {
    throw new OptionsError(path, name, 'up to 64 letters, digits, spaces and _ . : / -');
  }
}

/** Ten years: a longer period is most likely given in the wrong unit. */
export const MAX_PERIOD_MS = 315_360_000_000;

/** The name of a limit without the option `name`, such as `100-per-1s`. */
export function defaultName(limit: number, periodMs: number): string {
  return periodMs % 1_000 === 0 ? `${limit}-per-${periodMs / 1_000}s` : `${limit}-per-${periodMs}ms`;
}

/**
 * Identifies a limit across `setLimits`: by its name, or by its position where it has only a default name. A default name
 * contains the numbers, so it would change with them, and every key would lose its state.
 */
export function identityOf({ kind, name, limit, periodMs }: Limit, position: number): string {
  const ownDefault = kind === 'concurrency' ? defaultPermitsName(limit) : defaultName(limit, periodMs);
  return name === ownDefault ? `#${position}` : name;
}

/** The name of a concurrency limit without the option `name`, such as `10-at-once`. */
export function defaultPermitsName(limit: number): string {
  return `${limit}-at-once`;
}

/** Options of every limit by rate. */
export interface LimitOptions {
  /** Tokens per period, a whole number from 1 to 1e12. */
  limit: number;
  /** The period, in milliseconds, from 1 to ten years. */
  periodMs: number;
  /**
   * Name in decisions, header fields and store keys: up to 64 letters, digits, spaces and `_ . : / -`. Default: such as
   * `100-per-1s`.
   */
  name?: string;
  /**
   * Ratio of keys for which denials count, 0 to 1. For the other keys the limit only observes: it lets them through,
   * and decisions have `wouldAllow`. Default: 1.
   */
  enforce?: number;
}
