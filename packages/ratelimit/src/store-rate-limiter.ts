import { assertDurationMs, assertInteger, assertNumber, ClosedError, OptionsError, type Clock } from '@macadam/core';
import { annotateDecision } from './annotate.ts';
import { assertCallOptions, assertNoPermitLimit, readCost, readPermit, readRefund, readWait } from './call-options.ts';
import { assertReservable, isReservable, type Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import { describeLimiter } from './describe-limiter.ts';
import { Enforcement } from './enforcement.ts';
import { CostAboveCapacityError, RateLimitStoreError, RateLimitedError } from './errors.ts';
import { assertLimits, rateLimiterSettings, type RateLimiterOptions, type RateLimiterSettings } from './options.ts';
import type {
  CostOptions,
  PeekOptions,
  RateLimiter,
  RateLimiterStats,
  RefundOptions,
  Reservation,
  ReserveOptions,
  WaitOptions,
} from './rate-limiter.ts';
import { chargedTable, sharedTable } from './store/shared-table.ts';
import { shadowedDecision } from './store/combine-decisions.ts';
import type { TakeRequest, Awaitable, LimitTable } from './store/store.ts';
import { storedKey } from './key.ts';
import { DEFAULT_MAX_WAIT_MS, PERMIT_POLL_MS, Waiters } from './waiters.ts';

/** Checks arguments, asks the table of the store for decisions, counts and annotates them. */
export class StoreRateLimiter implements RateLimiter {
  readonly name: string;
  readonly #settings: RateLimiterSettings;
  readonly #table: LimitTable;
  #limits!: readonly Limit[];
  #enforcement!: Enforcement;
  readonly #clock: Clock;
  readonly #ownsStore: boolean;
  readonly #waiters: Waiters;
  #allowed = 0;
  #denied = 0;
  #shadowed = 0;
  #degraded = 0;

  constructor(options: RateLimiterOptions) {
    const settings = rateLimiterSettings(options);
    this.name = settings.name;
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#ownsStore = options.store === undefined;
    this.#applyLimits(settings.limits);
    this.#waiters = new Waiters(settings.clock);
    const { name, limits, clock, random, store } = settings;
    const table = store.open({ name, limits, clock, random });
    this.#table = table.synchronous ? table : sharedTable(table, settings);
  }

  tryTake(key: string, options?: CostOptions): Decision {
    const stored = storedKey(key);
    const watching = this.#enforcement.watching(stored);
    const cost = this.#assertedCost(readCost(options), watching);
    if (this.#table.synchronous) return this.#record(this.#take(stored, cost, watching) as Decision, watching);
    if (this.#table.takeNow === undefined) {
      throw new OptionsError('tryTake', `a ${this.#settings.store.kind} store`, 'used with memoryStore; else use take');
    }
    const decision = this.#table.takeNow(stored, cost);
    if (decision === undefined)
      throw new RateLimitStoreError(this.name, 'has too few leased tokens for this key; use take');
    return this.#record(decision, watching);
  }

  async take(key: string, options?: CostOptions): Promise<Decision> {
    const stored = storedKey(key);
    const enforcement = this.#enforcement;
    const watching = enforcement.watching(stored);
    const cost = this.#assertedCost(readCost(options), watching);
    const taken = this.#take(stored, cost, watching);
    const decision = this.#record(taken instanceof Promise ? await taken : taken, watching, enforcement);
    return annotateDecision(this.name, decision);
  }

  async takeUpTo(key: string, most: number): Promise<Decision> {
    assertInteger('takeUpTo.most', most, { min: 1 });
    const stored = storedKey(key);
    const enforcement = this.#enforcement;
    const watching = enforcement.watching(stored);
    const wanted = Math.min(most, enforcement.capacity(watching));
    return this.#record(await this.#take(stored, wanted, watching, 'upTo'), watching, enforcement);
  }

  async peek(key: string, options: PeekOptions = {}): Promise<Decision> {
    assertCallOptions('peek', options, ['cost']);
    const { cost = 0 } = options;
    assertNumber('peek.cost', cost, { min: 0 });
    return await this.#table.take(storedKey(key), cost, 'peek');
  }

  async reserve(key: string, options: ReserveOptions = {}): Promise<Reservation> {
    assertCallOptions('reserve', options, ['cost', 'maxWaitMs']);
    const { maxWaitMs = DEFAULT_MAX_WAIT_MS } = options;
    assertNumber('reserve.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
    const cost = this.#assertedCost(options.cost);
    assertReservable(this.#limits);
    const stored = storedKey(key);
    const { decision, waitMs, actAt } = await this.#table.reserve(stored, cost, maxWaitMs);
    let held = decision.allowed;
    const cancel = async (): Promise<void> => {
      if (!held) return;
      held = false;
      await chargedTable(this.#table, decision)?.cancel(stored, cost, actAt);
    };
    // Not through #record: shadow mode does not apply to reservations.
    if (decision.degraded) this.#degraded++;
    if (decision.allowed) this.#allowed++;
    else this.#denied++;
    return { allowed: decision.allowed, waitMs, decision, cancel };
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    const { cost = 1, maxWaitMs, signal } = readWait(options);
    signal?.throwIfAborted();
    const limits = this.#limits;
    // A reservation waits for every limit. A limit that only watches must not delay anybody, so with one `take` is polled.
    if (limits.every(isReservable) && this.#enforcement.watching(storedKey(key)) === 0) {
      const { allowed, waitMs, decision, cancel } = await this.reserve(key, { cost, maxWaitMs });
      if (!allowed) throw new RateLimitedError(this.name, decision, 429);
      await this.#waiters.sleep(waitMs, signal).catch(async (error: unknown) => {
        // If the store does not respond, the tokens are lost. The caller gets the reason of its signal all the same.
        await cancel().catch(() => undefined);
        throw error;
      });
      return decision;
    }
    const polls = limits.some(({ kind }) => kind === 'concurrency');
    const until = this.#clock.monotonic() + maxWaitMs;
    for (;;) {
      const decision = await this.take(key, { cost });
      if (decision.allowed) return decision;
      const leftMs = until - this.#clock.monotonic();
      const waitMs = polls ? Math.min(decision.retryAfterMs, PERMIT_POLL_MS) : decision.retryAfterMs;
      if (waitMs > leftMs) throw new RateLimitedError(this.name, decision, 429);
      // For ever is only until the store responds: without it, the cost is above the share of this process.
      await this.#waiters.sleep(waitMs < Infinity ? waitMs : PERMIT_POLL_MS, signal);
    }
  }

  async refund(key: string, options: RefundOptions = {}): Promise<void> {
    const { cost, stamp } = readRefund(options);
    assertNoPermitLimit('refund', this.#limits);
    if (cost > 0) await chargedTable(this.#table, options.decision)?.charge(storedKey(key), -cost, stamp);
  }

  async penalize(key: string, options: CostOptions = {}): Promise<void> {
    assertCallOptions('penalize', options, ['cost']);
    const { cost = 1 } = options;
    assertNumber('penalize.cost', cost, { above: 0 });
    assertNoPermitLimit('penalize', this.#limits);
    await this.#table.charge(storedKey(key), cost, undefined);
  }

  async block(key: string, durationMs: number): Promise<void> {
    assertDurationMs('block.durationMs', durationMs);
    await this.#table.block(storedKey(key), durationMs);
  }

  async reset(key: string): Promise<void> {
    await this.#table.reset(storedKey(key));
  }

  async release(key: string, decision: Decision): Promise<boolean> {
    const permit = readPermit('release', decision);
    return permit !== undefined && (await this.#table.release(storedKey(key), permit));
  }

  async renew(key: string, decision: Decision): Promise<boolean> {
    const permit = readPermit('renew', decision);
    return permit !== undefined && (await this.#table.renew(storedKey(key), permit));
  }

  setLimits(limits: readonly Limit[]): void {
    assertLimits('setLimits', limits);
    this.#table.setLimits(limits);
    this.#applyLimits(limits);
  }

  /** Returns the request that `takeAll` sends to the store for a claim. */
  requestFor(key: string, claimed: number | undefined): TakeRequest {
    const stored = storedKey(key);
    const watching = this.#enforcement.watching(stored);
    const cost = this.#assertedCost(claimed, watching);
    return { table: this.#table.exact ?? this.#table, key: stored, cost, watching };
  }

  /** Counts a decision of `takeAll`. A grant that was not taken because another claim was denied is not counted. */
  recordTakeAll(decision: Decision, taken: boolean): void {
    if (taken || !decision.allowed) this.#record(decision, 0);
  }

  describe(): string {
    return describeLimiter(this.#settings, this.#limits);
  }

  stats(): RateLimiterStats {
    return {
      allowed: this.#allowed,
      denied: this.#denied,
      shadowed: this.#shadowed,
      degraded: this.#degraded,
      waiting: this.#waiters.size,
      ...this.#table.stats(),
    };
  }

  async close(): Promise<void> {
    this.#waiters.close(new ClosedError(`Rate limiter "${this.name}"`));
    await this.#table.close?.();
    if (this.#ownsStore) await this.#settings.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertedCost(cost = 1, watching = 0): number {
    if (!(typeof cost === 'number' && cost > 0 && cost < Infinity)) assertNumber('take.cost', cost, { above: 0 });
    const capacity = this.#enforcement.capacity(watching);
    if (cost > capacity) throw new CostAboveCapacityError(this.name, cost, capacity);
    return cost;
  }

  #applyLimits(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#enforcement = new Enforcement(limits, this.#settings.enforce);
  }

  /** If all limits only watch, the store decides as if they did not: `#record` turns its denial into a grant. */
  #take(key: string, cost: number, watching: number, mode: 'all' | 'upTo' = 'all'): Awaitable<Decision> {
    return this.#table.take(key, cost, mode, this.#enforcement.isShadow(watching) ? 0 : watching);
  }

  /** Counts a decision, annotates a denial, and lets it through in shadow mode. `enforcement`: at the time of the request. */
  #record(decision: Decision, watching: number, enforcement = this.#enforcement): Decision {
    if (decision.degraded) this.#degraded++;
    if (decision.allowed && decision.wouldAllow === undefined) {
      this.#allowed++;
      return decision;
    }
    const isShadowed = decision.allowed || enforcement.isShadow(watching);
    if (isShadowed) this.#shadowed++;
    else this.#denied++;
    return annotateDecision(this.name, isShadowed && !decision.allowed ? shadowedDecision(decision, 0) : decision);
  }
}
