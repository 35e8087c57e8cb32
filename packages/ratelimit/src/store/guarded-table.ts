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
import { combineDecisions } from './combine-decisions.ts';
import { DenyCache } from './deny-cache.ts';
import { MemoryTable } from './memory-table.ts';
import type { TakeRequest, Awaitable, LimitTable, StoreReservation, TakeMode } from './store.ts';
import { TickBatch } from './tick-batch.ts';

/** Default of `store.timeoutMs`. The fallback decides in microseconds, so a slower store is worse than none. */
const DEFAULT_TIMEOUT_MS = 50;
/** How long the circuit breaker stays open before it probes the store, give or take a fifth. */
const OPEN_MS = 500;
const DENY_CACHE_KEYS = 10_000;
const FALLBACK_KEYS = 100_000;

/**
 * Protects a limiter from a store that can fail: with a timeout, a circuit breaker, a cache of denials, and a fallback
 * (`onStoreFailure`). A command that timed out is never sent again, since it may have run: tokens can be lost that way,
 * but never granted twice.
 */
export class GuardedTable implements LimitTable {
  readonly synchronous = false;
  /** Undefined unless `onStoreFailure` is `local`. */
  readonly fallback: MemoryTable | undefined;
  readonly #remote: LimitTable;
  readonly #fallback: MemoryTable;
  readonly #guard: Pipeline;
  readonly #mode: OnStoreFailure;
  readonly #name: string;
  #limits: readonly Limit[];
  readonly #instances: number;
  readonly #batch: TickBatch<TakeRequest, Decision>;
  readonly #clock: Clock;
  readonly #denials = new DenyCache(DENY_CACHE_KEYS);
  /** False with permits: a release by any process ends a denial. */
  #cachesDenials: boolean;
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
    this.fallback = onStoreFailure === 'local' ? this.#fallback : undefined;
    this.#cachesDenials = !limits.some(isPermitLimit);
    // Detached from the unit of work: the deadline or signal of one request must not end the batch of all.
    this.#batch = new TickBatch((requests) =>
      runDetached(() => this.#guard.execute(() => this.#remote.takeEach?.(requests) ?? this.#takeSingly(requests))),
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
    const requestedAt = this.#clock.monotonic();
    const limits = this.#limits;
    const cachesDenial = mode === 'all' && this.#cachesDenials;
    const denied = cachesDenial ? this.#denials.get(key, cost, requestedAt) : undefined;
    if (denied !== undefined) return denied;
    const isBatched = mode === 'all' && watching === 0 && this.#remote.takeEach !== undefined;
    const decision = await this.#orFallback(
      isBatched
        ? this.#batch.add({ table: this.#remote, key, cost, watching })
        : this.#guard.execute(() => this.#remote.take(key, cost, mode, watching)),
      () => (this.#mode === 'open' ? this.#unchecked(cost) : degraded(this.#fallback.take(key, cost, mode, watching))),
    );
    // After setLimits, a denial by the old limits must not be repeated.
    if (!decision.allowed && cachesDenial && !decision.degraded && limits === this.#limits) {
      this.#denials.add(key, cost, decision, requestedAt, this.#clock.monotonic());
    }
    return decision;
  }

  async takeTogether(requests: readonly TakeRequest[]): Promise<readonly Decision[] | undefined> {
    const guards = requests.map(({ table }) => table);
    if (!guards.every((table) => table instanceof GuardedTable)) return undefined;
    const remotes = requests.map((request, i) => ({ ...request, table: (guards[i] as GuardedTable).#remote }));
    return await this.#orFallback(
      this.#guard.execute(async () => await this.#remote.takeTogether?.(remotes)),
      () => this.#takeTogetherLocally(requests, guards),
      guards.find((guard) => guard.#mode === 'closed'),
    );
  }

  setLimits(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#denials.clear();
    this.#cachesDenials = !limits.some(isPermitLimit);
    this.#fallback.setLimits(this.#shares(limits));
    this.#remote.setLimits(limits);
  }

  reserve(key: string, cost: number, maxWaitMs: number): Promise<StoreReservation> {
    return this.#execute(
      () => this.#remote.reserve(key, cost, maxWaitMs),
      () => {
        if (this.#mode === 'open') return { decision: this.#unchecked(cost), waitMs: 0, actAt: 0 };
        const reservation = this.#fallback.reserve(key, cost, maxWaitMs);
        return { ...reservation, decision: degraded(reservation.decision) };
      },
    );
  }

  /** The fallback never had what the store reserved, so without the store it is lost. */
  cancel(key: string, cost: number, actAt: number): Promise<void> {
    return this.#update(key, (table) => table.cancel(key, cost, actAt));
  }

  /** With a stamp, it gives back what the store was charged: without the store that is lost, too. */
  charge(key: string, amount: number, stamp: number | undefined): Promise<void> {
    const update = (table: LimitTable): Awaitable<void> => table.charge(key, amount, stamp);
    return this.#update(key, update, stamp === undefined ? update : undefined);
  }

  /** Also blocks the key in the fallback, so that an outage does not end the block. */
  block(key: string, durationMs: number): Promise<void> {
    this.fallback?.block(key, durationMs);
    return this.#update(key, (table) => table.block(key, durationMs));
  }

  reset(key: string): Promise<void> {
    this.fallback?.reset(key);
    return this.#update(key, (table) => table.reset(key));
  }

  async release(key: string, permit: number): Promise<boolean> {
    if (this.#fallback.release(key, permit)) return true;
    return await this.#execute(
      () => this.#remote.release(key, permit),
      () => false,
    );
  }

  async renew(key: string, permit: number): Promise<boolean> {
    if (this.#fallback.renew(key, permit)) return true;
    return await this.#execute(
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

  #execute<T>(remote: () => Awaitable<T>, fallback: () => T): Promise<T> {
    return this.#orFallback(this.#guard.execute(remote), fallback);
  }

  /** Waits for the store; if it fails, rejects if this table or `closed` requires so, else returns the fallback. */
  async #orFallback<T>(remote: Promise<T>, fallback: () => T, closed?: GuardedTable): Promise<T> {
    try {
      return await remote;
    } catch (error) {
      this.#failures++;
      const rejecting = this.#mode === 'closed' ? this : closed;
      if (rejecting !== undefined) throw new RateLimitStoreError(rejecting.#name, 'does not respond', error);
      return fallback();
    }
  }

  /** `takeTogether` without the store. None of the tables has the mode `closed`. */
  #takeTogetherLocally(requests: readonly TakeRequest[], guards: readonly GuardedTable[]): readonly Decision[] {
    const local = requests
      .map((request, i) => ({ ...request, table: (guards[i] as GuardedTable).#fallback }))
      .filter((_, i) => (guards[i] as GuardedTable).#mode === 'local');
    const decisions = local[0]?.table.takeTogether(local) ?? [];
    let next = 0;
    return guards.map((guard, i) =>
      guard.#mode === 'open'
        ? guard.#unchecked((requests[i] as TakeRequest).cost)
        : degraded(decisions[next++] as Decision),
    );
  }

  /** Sends a batch as single requests. Needed if `takeEach` disappeared after they were added, e.g. with setLimits. */
  #takeSingly(requests: readonly TakeRequest[]): Promise<readonly Decision[]> {
    return Promise.all(requests.map(async ({ key, cost }) => await this.#remote.take(key, cost, 'all')));
  }

  /** The part of each limit that this process enforces without the store. */
  #shares(limits: readonly Limit[]): Limit[] {
    return limits.map((limit) => limit.share(this.#instances));
  }

  /** Changes the state of a key in the store, and does `updateFallback` if it does not respond. */
  async #update(
    key: string,
    update: (table: LimitTable) => Awaitable<void>,
    updateFallback?: (table: LimitTable) => Awaitable<void>,
  ): Promise<void> {
    this.#denials.outdate(key, this.#clock.monotonic());
    await this.#execute(
      () => update(this.#remote),
      () => void updateFallback?.(this.#fallback),
    );
    // A denial from before the update may have arrived meanwhile, or be on its way.
    this.#denials.outdate(key, this.#clock.monotonic());
  }

  /** The grant of `onStoreFailure: 'open'`. */
  #unchecked(granted: number): Decision {
    const grants = this.#limits.map(({ limit, capacity }) => {
      const max = Math.max(limit, capacity);
      return { allowed: true, limit: max, remaining: max, retryAfterMs: 0, resetAfterMs: 0 };
    });
    return degraded(combineDecisions(this.#limits, grants, 'fallback', granted, this.#clock.monotonic()));
  }
}

function degraded(decision: Decision): Decision {
  return { ...decision, source: 'fallback', degraded: true };
}
