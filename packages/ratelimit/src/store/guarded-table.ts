import type { Clock } from '@macadam/core';
import {
  circuitBreaker,
  consecutiveFailures,
  failureRate,
  pipeline,
  timeout,
  type Pipeline,
} from '@macadam/resilience';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { LimitStoreError } from '../errors.ts';
import type { OnStoreFailure, RateLimiterSettings } from '../options.ts';
import { decisionOf } from './combine.ts';
import { DenyCache } from './deny-cache.ts';
import { MemoryTable } from './memory-store.ts';
import type { Awaitable, LimitTable, Promised, TakeMode } from './store.ts';

/** An in-memory limit is decided in microseconds; a store that takes longer than this is worse than none. */
const DEFAULT_TIMEOUT_MS = 50;
/** A store that is away is asked again after so long, give or take a fifth. */
const OPEN_MS = 500;
const DENY_CACHE_KEYS = 10_000;
const FALLBACK_KEYS = 100_000;

/**
 * Stands between a limiter and a store that can fail: a time limit, a circuit breaker, a memory of denials, and what
 * decides while the store does not. A command that timed out is never sent again, since it may have run: that can lose
 * tokens, never make any.
 */
class GuardedTable implements LimitTable {
  readonly synchronous = false;
  readonly #remote: LimitTable;
  readonly #fallback: MemoryTable;
  readonly #guard: Pipeline;
  readonly #mode: OnStoreFailure;
  readonly #name: string;
  readonly #limits: readonly Limit[];
  readonly #clock: Clock;
  /** None with permits: a release by anybody ends a denial. */
  readonly #denials: DenyCache | undefined;
  readonly #breaker;
  #failures = 0;

  constructor(remote: LimitTable, settings: RateLimiterSettings) {
    const { name, limits, store, onStoreFailure, expectedInstances, clock, random } = settings;
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = store;
    this.#remote = remote;
    this.#name = name;
    this.#limits = limits;
    this.#mode = onStoreFailure;
    this.#clock = clock;
    const shares = limits.map((limit) => limit.share(expectedInstances));
    this.#fallback = new MemoryTable({ name, limits: shares, clock, random }, FALLBACK_KEYS);
    this.#denials = limits.some(({ kind }) => kind === 'concurrency') ? undefined : new DenyCache(DENY_CACHE_KEYS);
    this.#breaker = circuitBreaker({
      name: `store of rate limiter ${name}`,
      trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 1_000, minimumCalls: 20 })],
      openMs: OPEN_MS,
      maxOpenMs: OPEN_MS,
      halfOpenProbes: 1,
      probeLeaseMs: timeoutMs + OPEN_MS,
      clock,
      random,
    });
    this.#guard = pipeline(timeout({ timeoutMs, clock }), this.#breaker);
  }

  async take(key: string, cost: number, mode: TakeMode): Promise<Decision> {
    const askedAt = this.#clock.monotonic();
    const denied = mode === 'all' ? this.#denials?.get(key, cost, askedAt) : undefined;
    if (denied !== undefined) return denied;
    const decision = await this.#ask(
      () => this.#remote.take(key, cost, mode),
      () => (this.#mode === 'open' ? this.#letThrough(cost) : degraded(this.#fallback.take(key, cost, mode))),
    );
    if (!decision.allowed && mode === 'all' && !decision.degraded) {
      this.#denials?.remember(key, cost, decision, askedAt);
    }
    return decision;
  }

  reserve(key: string, cost: number, maxWaitMs: number): Promise<Promised> {
    return this.#ask(
      () => this.#remote.reserve(key, cost, maxWaitMs),
      () => {
        if (this.#mode === 'open') return { decision: this.#letThrough(cost), waitMs: 0, actAt: 0 };
        // A promise above the share of this process waits its turn; above its burst it can never be kept.
        const promised = this.#fallback.reserve(key, cost, maxWaitMs);
        return { ...promised, decision: degraded(promised.decision) };
      },
    );
  }

  cancel(key: string, cost: number, actAt: number): Promise<void> {
    return this.#change(key, (table) => table.cancel(key, cost, actAt));
  }

  charge(key: string, amount: number, stamp: number | undefined): Promise<void> {
    return this.#change(key, (table) => table.charge(key, amount, stamp));
  }

  block(key: string, durationMs: number): Promise<void> {
    return this.#change(key, (table) => table.block(key, durationMs));
  }

  reset(key: string): Promise<void> {
    return this.#change(key, (table) => table.reset(key));
  }

  async release(key: string, permit: number): Promise<boolean> {
    if (this.#fallback.release(key, permit)) return true;
    return await this.#ask(
      () => this.#remote.release(key, permit),
      () => false,
    );
  }

  async renew(key: string, permit: number): Promise<boolean> {
    if (this.#fallback.renew(key, permit)) return true;
    return await this.#ask(
      () => this.#remote.renew(key, permit),
      () => false,
    );
  }

  stats(): Readonly<Record<string, number>> {
    return {
      storeFailures: this.#failures,
      storeAway: this.#breaker.state === 'closed' ? 0 : 1,
      denyCacheHits: this.#denials?.hits ?? 0,
      fallbackKeys: this.#fallback.stats()['keys'] ?? 0,
      ...this.#remote.stats(),
    };
  }

  async #ask<T>(remote: () => Awaitable<T>, instead: () => T): Promise<T> {
    try {
      return await this.#guard.execute(remote);
    } catch (error) {
      this.#failures++;
      if (this.#mode === 'closed') throw new LimitStoreError(this.#name, 'does not answer', error);
      return instead();
    }
  }

  #change(key: string, change: (table: LimitTable) => Awaitable<void>): Promise<void> {
    this.#denials?.forget(key);
    return this.#ask(
      () => change(this.#remote),
      () => void change(this.#fallback),
    );
  }

  #letThrough(granted: number): Decision {
    const limit = this.#limits[0] as Limit;
    const most = Math.max(limit.limit, limit.capacity);
    const said = { allowed: true, limit: most, remaining: most, retryAfterMs: 0, resetAfterMs: 0 };
    return { ...decisionOf(limit, said, 'fallback', granted, this.#clock.monotonic()), degraded: true };
  }
}

function degraded(decision: Decision): Decision {
  return { ...decision, source: 'fallback', degraded: true };
}

/** Guards a table whose store can fail. */
export function guardTable(table: LimitTable, settings: RateLimiterSettings): LimitTable {
  return new GuardedTable(table, settings);
}
