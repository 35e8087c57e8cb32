import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  OptionsError,
} from '@macadam/core';
import type { LimitDecision } from '../decision.ts';
import {
  assertLimitName,
  defaultPermitsName,
  MAX_PERIOD_MS,
  fillDecision,
  emptyDecision,
  wholeMs,
  wholeRemaining,
  type PermitLimit,
  type StateNumbers,
  type MutableDecision,
} from './limit.ts';
import { BaseLimit } from './base-limit.ts';

/** Options of `concurrency`. */
export interface ConcurrencyOptions {
  /** Maximum number of permits in use, a whole number from 1 to 1 000. */
  limit: number;
  /**
   * How long a permit lives without being renewed, in milliseconds; then its holder counts as crashed and the permit is
   * free again. Renew at a third of it. Default: 30 000.
   */
  permitTtlMs?: number;
  /**
   * Name in decisions, header fields and store keys: letters, digits, spaces and `_ . : / -`. Default: such as
   * `10-at-once`.
   */
  name?: string;
  /** Ratio of keys for which denials count, 0 to 1; for the other keys the limit only observes. Default: 1. */
  enforce?: number;
}

/** State: [id, expiresAt, cost] for each permit. */
class Concurrency extends BaseLimit implements PermitLimit {
  readonly kind = 'concurrency';
  readonly #ttlMs: number;

  constructor(name: string, limit: number, permitTtlMs: number, enforce: number) {
    super({ name, limit, periodMs: 0, width: 0, parameters: [limit, permitTtlMs], enforce });
    this.#ttlMs = permitTtlMs;
  }

  look(
    state: StateNumbers,
    _base: number,
    now: number,
    cost: number,
    into: MutableDecision = emptyDecision(),
  ): LimitDecision {
    const { limit } = this;
    let used = 0;
    let last = now;
    for (let i = 0; i < state.length; i += 3) {
      const expiresAt = state[i + 1] as number;
      if (expiresAt <= now) continue;
      used += state[i + 2] as number;
      if (expiresAt > last) last = expiresAt;
    }
    const allowed = used + cost <= limit;
    if (allowed && cost > 0) last = Math.max(last, now + this.#ttlMs);
    return fillDecision(
      into,
      allowed,
      limit,
      wholeRemaining(limit - used - (allowed ? cost : 0), limit, 0),
      allowed ? 0 : cost > limit ? Infinity : wholeMs(this.#allowedAt(state, now, used, cost) - now),
      wholeMs(last - now),
    );
  }

  commit(state: StateNumbers, _base: number, now: number, cost: number, id: number): void {
    const permits = state as number[];
    for (let i = 0; i < permits.length;) {
      if ((permits[i + 1] as number) <= now) permits.splice(i, 3);
      else i += 3;
    }
    permits.push(id, now + this.#ttlMs, cost);
  }

  charge(): void {
    throw new OptionsError(
      'refund',
      'a concurrency limit',
      'used with limits by rate; a permit is given back by release',
    );
  }

  release(state: StateNumbers, _base: number, now: number, id: number): boolean {
    const permits = state as number[];
    for (let i = 0; i < permits.length; i += 3) {
      if (permits[i] !== id) continue;
      const held = (permits[i + 1] as number) > now;
      permits.splice(i, 3);
      return held;
    }
    return false;
  }

  renew(state: StateNumbers, _base: number, now: number, id: number): boolean {
    for (let i = 0; i < state.length; i += 3) {
      if (state[i] !== id || (state[i + 1] as number) <= now) continue;
      state[i + 1] = now + this.#ttlMs;
      return true;
    }
    return false;
  }

  expiresAt(state: StateNumbers): number {
    let last = 0;
    for (let i = 0; i < state.length; i += 3) last = Math.max(last, state[i + 1] as number);
    return last;
  }

  /** Permits keep their cost and their expiry: their holders are still at work. */
  inherit(from: StateNumbers, _fromBase: number, _parameters: readonly number[], into: StateNumbers): void {
    (into as number[]).splice(0, Infinity, ...from);
  }

  share(parts: number): Concurrency {
    return new Concurrency(this.name, Math.max(1, Math.floor(this.limit / parts)), this.#ttlMs, this.enforce);
  }

  describe(): string {
    return `"${this.name}": ${this.limit} at once, each for ${this.#ttlMs} ms unless renewed (concurrency)`;
  }

  /** When enough permits have expired, if none is released before. */
  #allowedAt(state: StateNumbers, now: number, used: number, cost: number): number {
    const live: { expiresAt: number; cost: number }[] = [];
    for (let i = 0; i < state.length; i += 3) {
      const expiresAt = state[i + 1] as number;
      if (expiresAt > now) live.push({ expiresAt, cost: state[i + 2] as number });
    }
    live.sort((a, b) => a.expiresAt - b.expiresAt);
    let left = used;
    for (const permit of live) {
      left -= permit.cost;
      if (left + cost <= this.limit) return permit.expiresAt;
    }
    return now;
  }
}

/**
 * Allows `limit` at once. Each grant is a permit, which is a lease: it ends when it is released, or when it is not renewed
 * in time, so that a holder that crashed does not hold it for ever.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { concurrency, createRateLimiter } from '@macadam/ratelimit';
 *
 * const exports = createRateLimiter({ name: 'exports', limits: [concurrency({ limit: 2 })] });
 * const decision = await exports.take('org-7');
 * await exports.release('org-7', decision);
 * ```
 */
export function concurrency(options: ConcurrencyOptions): PermitLimit {
  assertObject('concurrency', options);
  assertKnownOptions('concurrency', options, ['limit', 'permitTtlMs', 'name', 'enforce']);
  const { limit, permitTtlMs = 30_000, name = defaultPermitsName(limit), enforce = 1 } = options;
  assertInteger('concurrency.limit', limit, { min: 1, max: 1_000 });
  assertDurationMs('concurrency.permitTtlMs', permitTtlMs, { min: 1, max: MAX_PERIOD_MS });
  assertLimitName('concurrency.name', name);
  assertNumber('concurrency.enforce', enforce, { min: 0, max: 1 });
  return new Concurrency(name, limit, permitTtlMs, enforce);
}
