import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import type { LimitDecision } from '../decision.ts';
import {
  assertLimitOptions,
  defaultName,
  fillDecision,
  TICK_MS,
  emptyDecision,
  wholeMs,
  wholeRemaining,
  type Limit,
  type LimitOptions,
  type StateNumbers,
  type MutableDecision,
} from './limit.ts';
import { BaseLimit } from './base-limit.ts';

/** Options of `slidingLog`. */
export type SlidingLogOptions = LimitOptions;

/** The log holds up to this many times, two numbers each. */
const MAX_LOG_LIMIT = 1_000;

/** State: [at, cost] for each time at which tokens were taken, oldest first. */
class SlidingLog extends BaseLimit {
  readonly kind = 'slidingLog';

  constructor(name: string, limit: number, periodMs: number, enforce: number) {
    super({ name, limit, periodMs, width: 0, parameters: [limit, periodMs], enforce });
  }

  look(
    state: StateNumbers,
    _base: number,
    now: number,
    cost: number,
    into: MutableDecision = emptyDecision(),
  ): LimitDecision {
    const { limit } = this;
    const newest = state.length === 0 ? now : Math.max(now, state[state.length - 2] as number);
    let first = this.#firstLive(state, newest);
    let used = 0;
    for (let i = first; i < state.length; i += 2) used += state[i + 1] as number;
    if (used + cost <= limit + this.slack) {
      const last = cost > 0 ? newest : used > 0 ? (state[state.length - 2] as number) : undefined;
      return fillDecision(
        into,
        true,
        limit,
        wholeRemaining(limit - used - cost, limit, this.slack),
        0,
        last === undefined ? 0 : wholeMs(last + this.periodMs - TICK_MS - now),
      );
    }
    let left = used;
    let allowedAt = now;
    while (left + cost > limit + this.slack && first < state.length) {
      allowedAt = (state[first] as number) + this.periodMs;
      left -= state[first + 1] as number;
      first += 2;
    }
    return fillDecision(
      into,
      false,
      limit,
      wholeRemaining(limit - used, limit, this.slack),
      cost > limit ? Infinity : wholeMs(allowedAt - TICK_MS - now),
      used > 0 ? wholeMs((state[state.length - 2] as number) + this.periodMs - TICK_MS - now) : 0,
    );
  }

  commit(state: StateNumbers, _base: number, now: number, cost: number): void {
    const log = state as number[];
    const at = log.length === 0 ? now : Math.max(now, log[log.length - 2] as number);
    const first = this.#firstLive(log, at);
    if (first > 0) log.splice(0, first);
    const newest = log.length - 2;
    // A full log (of fractional costs, or penalties) counts the newest tokens as if taken now: they are freed later.
    if (newest >= 0 && (log[newest] === at || log.length >= 2 * MAX_LOG_LIMIT)) {
      log[newest] = at;
      log[newest + 1] = (log[newest + 1] as number) + cost;
    } else log.push(at, cost);
  }

  charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void {
    if (amount > 0) {
      this.commit(state, base, now, amount);
      return;
    }
    const log = state as number[];
    let refund = -amount;
    let kept = 0;
    // Without a stamp the oldest entries are refunded first: what remains counted then stays counted the longest.
    for (let i = this.#firstLive(log, now); i < log.length; i += 2) {
      const at = log[i] as number;
      let cost = log[i + 1] as number;
      if (refund > 0 && (stamp === undefined || at === stamp)) {
        const refunded = Math.min(cost, refund);
        cost -= refunded;
        refund -= refunded;
        if (cost <= this.slack) continue;
      }
      log[kept] = at;
      log[kept + 1] = cost;
      kept += 2;
    }
    log.length = kept;
  }

  expiresAt(state: StateNumbers): number {
    return state.length === 0 ? 0 : (state[state.length - 2] as number) + this.periodMs;
  }

  inherit(
    from: StateNumbers,
    _fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    _base: number,
    now: number,
  ): void {
    const [limit, periodMs] = parameters as [number, number];
    const log = into as number[];
    log.length = 0;
    const latest = from.length === 0 ? now : Math.max(now, from[from.length - 2] as number);
    for (let i = 0; i < from.length; i += 2) {
      const at = from[i] as number;
      if (at + periodMs - TICK_MS > latest) log.push(at, (from[i + 1] as number) * (this.limit / limit));
    }
  }

  share(parts: number): SlidingLog {
    return new SlidingLog(this.name, Math.max(1, Math.floor(this.limit / parts)), this.periodMs, this.enforce);
  }

  describe(): string {
    return `"${this.name}": ${this.limit} in any ${this.periodMs} ms (sliding log)`;
  }

  #firstLive(state: StateNumbers, now: number): number {
    let first = 0;
    while (first < state.length && (state[first] as number) + this.periodMs - TICK_MS <= now) first += 2;
    return first;
  }
}

/**
 * Remembers when each token was taken: exactly `limit` in any period, at up to 16 bytes a token and a third more to grow
 * by. For small limits, at most 1 000; `slidingWindow` is within a cell of it at a fraction of the price.
 *
 * It remembers at most 1 000 moments for a key. Fractions of tokens, or penalties, at more moments than that in one period
 * are counted together, as if taken at the latest of them.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { slidingLog } from '@macadam/ratelimit';
 *
 * const logins = slidingLog({ limit: 5, periodMs: 60_000 });
 * if (logins.step([], 0, 5).decision.remaining !== 0) throw new Error('all five are taken');
 * ```
 */
export function slidingLog(options: SlidingLogOptions): Limit {
  assertObject('slidingLog', options);
  assertKnownOptions('slidingLog', options, ['limit', 'periodMs', 'name', 'enforce']);
  assertLimitOptions('slidingLog', options);
  const { limit, periodMs, name = defaultName(limit, periodMs), enforce = 1 } = options;
  assertInteger('slidingLog.limit', limit, { min: 1, max: MAX_LOG_LIMIT });
  return new SlidingLog(name, limit, periodMs, enforce);
}
