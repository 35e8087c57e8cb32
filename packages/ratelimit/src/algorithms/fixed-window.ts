import { assertKnownOptions, assertObject } from '@macadam/core';
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

/** Options of `fixedWindow`. */
export type FixedWindowOptions = LimitOptions;

/** State: [startedAt, count]. A window begins with the first request after the previous window has ended. */
class FixedWindow extends BaseLimit {
  readonly kind = 'fixedWindow';

  constructor(name: string, limit: number, periodMs: number, enforce: number) {
    super({ name, limit, periodMs, width: 2, parameters: [limit, periodMs], enforce });
  }

  look(
    state: StateNumbers,
    base: number,
    now: number,
    cost: number,
    into: MutableDecision = emptyDecision(),
  ): LimitDecision {
    const { limit } = this;
    const live = this.#isLive(state, base, now);
    const used = live ? (state[base + 1] as number) : 0;
    const endsAfterMs = live ? (state[base] as number) + this.periodMs - TICK_MS - now : this.periodMs;
    if (used + cost <= limit + this.slack) {
      return fillDecision(
        into,
        true,
        limit,
        wholeRemaining(limit - used - cost, limit, this.slack),
        0,
        live || cost > 0 ? wholeMs(endsAfterMs) : 0,
      );
    }
    return fillDecision(
      into,
      false,
      limit,
      wholeRemaining(limit - used, limit, this.slack),
      cost > limit ? Infinity : wholeMs(endsAfterMs),
      live ? wholeMs(endsAfterMs) : 0,
    );
  }

  commit(state: StateNumbers, base: number, now: number, cost: number): void {
    if (this.#isLive(state, base, now)) state[base + 1] = (state[base + 1] as number) + cost;
    else {
      state[base] = now;
      state[base + 1] = cost;
    }
  }

  charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void {
    if (amount > 0) this.commit(state, base, now, amount);
    else if (this.#isLive(state, base, now) && (stamp ?? now) >= (state[base] as number)) {
      const count = (state[base + 1] as number) + amount;
      state[base + 1] = count > 0 ? count : 0;
    }
  }

  expiresAt(state: StateNumbers, base: number): number {
    return (state[base + 1] as number) > 0 ? (state[base] as number) + this.periodMs : 0;
  }

  inherit(
    from: StateNumbers,
    fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    base: number,
    now: number,
  ): void {
    const [limit, periodMs] = parameters as [number, number];
    const startedAt = from[fromBase] as number;
    const count = from[fromBase + 1] as number;
    const live = count > 0 && now < startedAt + periodMs - TICK_MS;
    into[base] = live ? startedAt : 0;
    into[base + 1] = live ? count * (this.limit / limit) : 0;
  }

  share(parts: number): FixedWindow {
    return new FixedWindow(this.name, Math.max(1, Math.floor(this.limit / parts)), this.periodMs, this.enforce);
  }

  describe(): string {
    return `"${this.name}": ${this.limit} in each window of ${this.periodMs} ms (fixed window)`;
  }

  #isLive(state: StateNumbers, base: number, now: number): boolean {
    return (state[base + 1] as number) > 0 && now < (state[base] as number) + this.periodMs - TICK_MS;
  }
}

/**
 * Allows `limit` in each window; a window begins with the first request after the last one ended. For quotas that people
 * are told about. Where two windows meet, up to twice the limit can pass within one period: see `slidingWindow`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { fixedWindow } from '@macadam/ratelimit';
 *
 * const perDay = fixedWindow({ limit: 10_000, periodMs: 86_400_000, name: 'daily' });
 * if (perDay.step([], 0, 1).decision.remaining !== 9_999) throw new Error('one was taken');
 * ```
 */
export function fixedWindow(options: FixedWindowOptions): Limit {
  assertObject('fixedWindow', options);
  assertKnownOptions('fixedWindow', options, ['limit', 'periodMs', 'name', 'enforce']);
  assertLimitOptions('fixedWindow', options);
  const { limit, periodMs, name = defaultName(limit, periodMs), enforce = 1 } = options;
  return new FixedWindow(name, limit, periodMs, enforce);
}
