/**
 * The generic cell rate algorithm: a bucket that leaks at an even rate, and a request that is allowed while its cost
 * still fits on top.
 *
 * GCRA is usually kept as one time stamp, the theoretical arrival time (TAT). Here it is kept as the level and when it
 * was read (`TAT = at + level / rate`), which is the same rule, and loses no digits: a TAT in epoch milliseconds has a
 * quarter of a microsecond of rounding at each of hundreds of takes in a burst, which is enough to refuse the last one.
 *
 * State: [level, at].
 */
import { assertBoolean, assertInteger, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import type { LimitDecision } from '../decision.ts';
import {
  assertLimitOptions,
  defaultName,
  say,
  unsaid,
  wholeMs,
  wholeRemaining,
  type LimitOptions,
  type ReservableLimit,
  type StateNumbers,
  type MutableDecision,
} from './limit.ts';
import { LimitRule } from './limit-rule.ts';

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
   * meanwhile (Bucket4j documents the same). Default: false.
   */
  strict?: boolean;
}

class TokenBucket extends LimitRule implements ReservableLimit {
  readonly kind = 'tokenBucket';
  readonly #strict: boolean;
  /** Tokens that flow back each millisecond. */
  readonly #rate: number;
  /** The level that counts as full. */
  readonly #ceiling: number;
  /** What decisions call the limit. */
  readonly #most: number;

  constructor(name: string, limit: number, periodMs: number, burst: number, strict: boolean, enforce: number) {
    const rate = (strict ? limit - burst : limit) / periodMs;
    super({ name, limit, periodMs, capacity: burst, width: 2, parameters: [rate, burst], enforce });
    this.#strict = strict;
    this.#rate = rate;
    this.#ceiling = burst + this.slack;
    this.#most = Math.max(limit, burst);
  }

  look(state: StateNumbers, base: number, now: number, cost: number, into: MutableDecision = unsaid()): LimitDecision {
    const level = this.#level(state, base, now);
    const lagMs = this.#lagMs(state, base, now);
    const rate = this.#rate;
    const after = level + cost;
    const over = after - this.#ceiling;
    if (over <= 0) {
      return say(
        into,
        true,
        this.#most,
        wholeRemaining(this.capacity - after, this.#most, this.slack),
        0,
        wholeMs(lagMs + after / rate),
      );
    }
    return say(
      into,
      false,
      this.#most,
      wholeRemaining(this.capacity - level, this.#most, this.slack),
      cost > this.capacity ? Infinity : wholeMs(lagMs + over / rate),
      wholeMs(lagMs + level / rate),
    );
  }

  commit(state: StateNumbers, base: number, now: number, cost: number): void {
    this.charge(state, base, now, cost);
  }

  charge(state: StateNumbers, base: number, now: number, amount: number): void {
    const level = this.#level(state, base, now) + amount;
    this.#write(state, base, now, level > this.slack ? level : 0);
  }

  waitMs(state: StateNumbers, base: number, now: number, cost: number): number {
    const over = this.#level(state, base, now) + cost - this.#ceiling;
    return over <= 0 ? 0 : wholeMs(this.#lagMs(state, base, now) + over / this.#rate);
  }

  cancel(state: StateNumbers, base: number, now: number, cost: number, actAt: number): void {
    if (actAt < now) return;
    const newest = (state[base + 1] as number) + ((state[base] as number) - this.capacity) / this.#rate;
    // What was promised after this one keeps its time, so its share is not given back (as in Go's x/time/rate).
    const promisedAfter = Math.max(0, (newest - actAt) * this.#rate);
    if (cost > promisedAfter) this.charge(state, base, now, promisedAfter - cost);
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
    // One token a period cannot be both burst and refill: the burst is then all there is.
    const strict = this.#strict && limit > burst;
    return new TokenBucket(this.name, limit, this.periodMs, Math.min(burst, this.capacity), strict, this.enforce);
  }

  describe(): string {
    const strict = this.#strict ? ', never more than the limit in any period' : '';
    return `"${this.name}": ${this.limit} in ${this.periodMs} ms, ${this.capacity} at once${strict} (token bucket)`;
  }

  #write(state: StateNumbers, base: number, now: number, level: number): void {
    // An empty bucket has seen no time: it is as good as one never used.
    if (state[base] === 0 || now > (state[base + 1] as number)) state[base + 1] = now;
    state[base] = level;
  }

  /** A clock that was set back makes everything wait for the time already seen. */
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
