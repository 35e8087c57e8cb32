/**
 * The generic cell rate algorithm (GCRA): a bucket that drains at a constant rate. A request is allowed if its cost still
 * fits.
 *
 * GCRA is usually stored as one time stamp, the theoretical arrival time (TAT). Here it is stored as the level and the
 * time of that level (`TAT = at + level / rate`), which is equivalent and more precise: a TAT in epoch milliseconds is
 * rounded to a quarter of a microsecond at each take, and after hundreds of takes in a burst the error denies the last.
 *
 * State: [level, at]. The level is what was taken and has not flowed back yet.
 */
import { assertBoolean, assertInteger, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import type { LimitDecision } from '../decision.ts';
import {
  assertLimitOptions,
  defaultName,
  fillDecision,
  emptyDecision,
  wholeMs,
  wholeRemaining,
  type LimitOptions,
  type ReservableLimit,
  type StateNumbers,
  type MutableDecision,
} from './limit.ts';
import { BaseLimit } from './base-limit.ts';

/** Options of `tokenBucket`. */
export interface TokenBucketOptions extends LimitOptions {
  /**
   * Maximum number of tokens that can be taken at once, a whole number of at least 1. Default: `limit`; with `strict`,
   * half of it.
   */
  burst?: number;
  /**
   * Guarantees that no period, wherever it starts, sees more than `limit`: the bucket refills at `(limit - burst) /
   * periodMs`. A plain bucket lets up to `limit + burst` through in one period: a full bucket and what is refilled
   * meanwhile (Bucket4j documents the same). Refunds that come so late that part of the tokens has flowed back can
   * exceed it by a few tokens. Default: false.
   */
  strict?: boolean;
}

class TokenBucket extends BaseLimit implements ReservableLimit {
  readonly kind = 'tokenBucket';
  readonly #strict: boolean;
  /** Tokens that flow back per millisecond. */
  readonly #rate: number;
  /** The highest level that is allowed. */
  readonly #ceiling: number;
  /** The `limit` of decisions: the maximum of `remaining`. */
  readonly #max: number;

  constructor(name: string, limit: number, periodMs: number, burst: number, strict: boolean, enforce: number) {
    const rate = (strict ? limit - burst : limit) / periodMs;
    super({ name, limit, periodMs, capacity: burst, width: 2, parameters: [rate, burst], enforce });
    this.#strict = strict;
    this.#rate = rate;
    this.#ceiling = burst + this.slack;
    this.#max = Math.max(limit, burst);
  }

  look(
    state: StateNumbers,
    base: number,
    now: number,
    cost: number,
    into: MutableDecision = emptyDecision(),
  ): LimitDecision {
    const level = this.#level(state, base, now);
    const lagMs = this.#lagMs(state, base, now);
    const rate = this.#rate;
    const after = level + cost;
    const over = after - this.#ceiling;
    if (over <= 0) {
      return fillDecision(
        into,
        true,
        this.#max,
        wholeRemaining(this.capacity - after, this.#max, this.slack),
        0,
        wholeMs(lagMs + after / rate),
      );
    }
    return fillDecision(
      into,
      false,
      this.#max,
      wholeRemaining(this.capacity - level, this.#max, this.slack),
      cost > this.capacity ? Infinity : wholeMs(lagMs + over / rate),
      wholeMs(lagMs + level / rate),
    );
  }

  commit(state: StateNumbers, base: number, now: number, cost: number): void {
    this.#write(state, base, now, this.#level(state, base, now) + cost);
  }

  charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void {
    if (amount >= 0) {
      this.commit(state, base, now, amount);
      return;
    }
    // What has flowed back since the tokens were taken must not be given back a second time.
    const most = stamp === undefined ? -amount : Math.max(0, this.capacity - (now - stamp) * this.#rate);
    const level = this.#level(state, base, now) - Math.min(-amount, most);
    this.#write(state, base, now, level > this.slack ? level : 0);
  }

  waitMs(state: StateNumbers, base: number, now: number, cost: number): number {
    const over = this.#level(state, base, now) + cost - this.#ceiling;
    return over <= 0 ? 0 : wholeMs(this.#lagMs(state, base, now) + over / this.#rate);
  }

  cancel(state: StateNumbers, base: number, now: number, cost: number, actAt: number): void {
    if (actAt < now) return;
    const lastActAt = (state[base + 1] as number) + ((state[base] as number) - this.capacity) / this.#rate;
    // Later reservations keep their times, so what they reserved is not given back (as in Go's x/time/rate).
    const reservedAfter = Math.max(0, (lastActAt - actAt) * this.#rate);
    if (cost > reservedAfter) this.charge(state, base, now, reservedAfter - cost, undefined);
  }

  expiresAt(state: StateNumbers, base: number): number {
    return (state[base + 1] as number) + (state[base] as number) / this.#rate;
  }

  inherit(
    from: StateNumbers,
    fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    base: number,
    now: number,
  ): void {
    const [rate, burst] = parameters as [number, number];
    const at = from[fromBase + 1] as number;
    const elapsedMs = now - at;
    const level = (from[fromBase] as number) - (elapsedMs > 0 ? elapsedMs * rate : 0);
    into[base] = level > 0 ? level * (this.capacity / burst) : 0;
    into[base + 1] = level <= 0 ? 0 : elapsedMs > 0 ? now : at;
  }

  share(parts: number): TokenBucket {
    const limit = Math.max(1, Math.floor(this.limit / parts));
    const burst = Math.max(1, Math.floor(this.capacity / parts));
    // `strict` needs a token to refill. With one token per period, it has none, and a plain bucket of one is as strict.
    const strict = this.#strict && limit > 1;
    const most = strict ? Math.min(burst, limit - 1) : burst;
    return new TokenBucket(this.name, limit, this.periodMs, most, strict, this.enforce);
  }

  describe(): string {
    const strict = this.#strict ? ', never more than the limit in any period' : '';
    return `"${this.name}": ${this.limit} in ${this.periodMs} ms, ${this.capacity} at once${strict} (token bucket)`;
  }

  #write(state: StateNumbers, base: number, now: number, level: number): void {
    // The time of an empty bucket is meaningless (it may be 0, of an unused key), so it may also move back.
    if (state[base] === 0 || now > (state[base + 1] as number)) state[base + 1] = now;
    state[base] = level;
  }

  /** How far the clock is behind the time of the state. After a step back, nothing flows back until it has caught up. */
  #lagMs(state: StateNumbers, base: number, now: number): number {
    const aheadMs = (state[base + 1] as number) - now;
    return aheadMs > 0 && (state[base] as number) > 0 ? aheadMs : 0;
  }

  #level(state: StateNumbers, base: number, now: number): number {
    const elapsedMs = now - (state[base + 1] as number);
    const level = state[base] as number;
    if (elapsedMs <= 0) return level;
    const left = level - elapsedMs * this.#rate;
    return left > 0 ? left : 0;
  }
}

/**
 * Allows `limit` a period at an even rate, and up to `burst` at once. The default choice: exact, two numbers a key, no
 * edge where two windows meet.
 *
 * Any stretch of T milliseconds sees at most `burst + limit * T / periodMs`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { tokenBucket } from '@macadam/ratelimit';
 *
 * const limit = tokenBucket({ limit: 100, periodMs: 1_000, burst: 2 });
 * const first = limit.step([], 0, 2);
 * const second = limit.step(first.next, 0, 1);
 * if (second.decision.retryAfterMs !== 10) throw new Error('one token flows back in 10 ms');
 * ```
 */
export function tokenBucket(options: TokenBucketOptions): ReservableLimit {
  assertObject('tokenBucket', options);
  assertKnownOptions('tokenBucket', options, ['limit', 'periodMs', 'burst', 'strict', 'name', 'enforce']);
  assertLimitOptions('tokenBucket', options);
  const { limit, periodMs, strict = false, enforce = 1 } = options;
  assertBoolean('tokenBucket.strict', strict);
  if (strict && limit < 2) throw new OptionsError('tokenBucket.limit', limit, 'at least 2 with strict');
  const { burst = strict ? Math.floor(limit / 2) : limit } = options;
  assertInteger('tokenBucket.burst', burst, { min: 1, max: 1e12 });
  if (strict && burst >= limit)
    throw new OptionsError('tokenBucket.burst', burst, `below limit (${limit}) with strict`);
  return new TokenBucket(options.name ?? defaultName(limit, periodMs), limit, periodMs, burst, strict, enforce);
}
