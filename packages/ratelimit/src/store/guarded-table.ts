import { runDetached, type Clock } from '@macadam/core';
import {
  circuitBreaker,
  consecutiveFailures,
  failureRate,
  pipeline,
  timeout,
  type Pipeline,
} from '@macadam/resilience';
import { isPermitLimit, type Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { RateLimitStoreError } from '../errors.ts';
import type { OnStoreFailure, RateLimiterSettings } from '../options.ts';
import { decisionUnder } from './combine-decisions.ts';
import { DenyCache } from './deny-cache.ts';
import { MemoryTable } from './memory-table.ts';
import type { TakeRequest, Awaitable, LimitTable, StoreReservation, TakeMode } from './store.ts';
import { Turn } from './tick-batch.ts';

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
  #limits: readonly Limit[];
  readonly #instances: number;
  readonly #turn: Turn<TakeRequest, Decision>;
  readonly #clock: Clock;
  readonly #denials = new DenyCache(DENY_CACHE_KEYS);
  /** Not with permits: a release by anybody ends a denial. */
  #remembers: boolean;
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
    this.#instances = expectedInstances;
    this.#fallback = new MemoryTable({ name, limits: this.#shares(limits), clock, random }, FALLBACK_KEYS);
    this.#remembers = !limits.some(isPermitLimit);
    // For everybody who asks in one turn: nobody's deadline or signal may end it for the others.
    this.#turn = new Turn((asks) =>
      runDetached(() => this.#guard.execute(() => this.#remote.takeEach?.(asks) ?? this.#takeSingly(asks))),
    );
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

  async take(key: string, cost: number, mode: TakeMode, watching = 0): Promise<Decision> {
    const askedAt = this.#clock.monotonic();
    const limits = this.#limits;
    const remembers = mode === 'all' && this.#remembers;
    const denied = remembers ? this.#denials.get(key, cost, askedAt) : undefined;
    if (denied !== undefined) return denied;
    const together = mode === 'all' && watching === 0 && this.#remote.takeEach !== undefined;
    const decision = await this.#tried(
      together
        ? this.#turn.ask({ table: this.#remote, key, cost, watching })
        : this.#guard.execute(() => this.#remote.take(key, cost, mode, watching)),
      () => (this.#mode === 'open' ? this.#letThrough(cost) : degraded(this.#fallback.take(key, cost, mode, watching))),
    );
    // What limits denied that hold no more, others may allow.
    if (!decision.allowed && remembers && !decision.degraded && limits === this.#limits) {
      this.#denials.remember(key, cost, decision, askedAt, this.#clock.monotonic());
    }
    return decision;
  }

  async takeTogether(asks: readonly TakeRequest[]): Promise<readonly Decision[] | undefined> {
    const guards = asks.map(({ table }) => table);
    if (!guards.every((table) => table instanceof GuardedTable)) return undefined;
    const remotes = asks.map((ask, i) => ({ ...ask, table: (guards[i] as GuardedTable).#remote }));
    return await this.#tried(
      this.#guard.execute(async () => await this.#remote.takeTogether?.(remotes)),
      () => this.#together(asks, guards),
      guards.find((guard) => guard.#mode === 'closed'),
    );
  }

  setLimits(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#denials.clear();
    this.#remembers = !limits.some(isPermitLimit);
    this.#fallback.setLimits(this.#shares(limits));
    this.#remote.setLimits(limits);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Promise<StoreReservation> {
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
      denyCacheHits: this.#denials.hits,
      fallbackKeys: this.#fallback.stats()['keys'] ?? 0,
      ...this.#remote.stats(),
    };
  }

  #ask<T>(remote: () => Awaitable<T>, instead: () => T): Promise<T> {
    return this.#tried(this.#guard.execute(remote), instead);
  }

  async #tried<T>(answer: Promise<T>, instead: () => T, closed?: GuardedTable): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      this.#failures++;
      const strict = this.#mode === 'closed' ? this : closed;
      if (strict !== undefined) throw new RateLimitStoreError(strict.#name, 'does not answer', error);
      return instead();
    }
  }

  /** Without the store: the shares of this process, together where they count. */
  #together(asks: readonly TakeRequest[], guards: readonly GuardedTable[]): readonly Decision[] {
    const shares = asks.map((ask, i) => ({ ...ask, table: (guards[i] as GuardedTable).#fallback }));
    const local = shares.filter((_, i) => (guards[i] as GuardedTable).#mode === 'local');
    const decisions = local[0]?.table.takeTogether(local) ?? [];
    let next = 0;
    return guards.map((guard, i) =>
      guard.#mode === 'open'
        ? guard.#letThrough((asks[i] as TakeRequest).cost)
        : degraded(decisions[next++] as Decision),
    );
  }

  /** The limits have changed since: what is left of the turn goes one by one. */
  #takeSingly(asks: readonly TakeRequest[]): Promise<readonly Decision[]> {
    return Promise.all(asks.map(async ({ key, cost }) => await this.#remote.take(key, cost, 'all')));
  }

  #shares(limits: readonly Limit[]): Limit[] {
    return limits.map((limit) => limit.share(this.#instances));
  }

  async #change(key: string, change: (table: LimitTable) => Awaitable<void>): Promise<void> {
    this.#denials.forget(key);
    await this.#ask(
      () => change(this.#remote),
      () => void change(this.#fallback),
    );
    // A denial from before the change may have been answered meanwhile.
    this.#denials.forget(key);
  }

  #letThrough(granted: number): Decision {
    const limit = this.#limits[0] as Limit;
    const most = Math.max(limit.limit, limit.capacity);
    const said = { allowed: true, limit: most, remaining: most, retryAfterMs: 0, resetAfterMs: 0 };
    return { ...decisionUnder(limit, said, 'fallback', granted, this.#clock.monotonic()), degraded: true };
  }
}

function degraded(decision: Decision): Decision {
  return { ...decision, source: 'fallback', degraded: true };
}

/** Guards a table whose store can fail. */
export function guardTable(table: LimitTable, settings: RateLimiterSettings): LimitTable {
  return new GuardedTable(table, settings);
}
