import { assertDurationMs, assertInteger, assertNumber, ClosedError, OptionsError, type Clock } from '@macadam/core';
import { tellDecision } from './annotate.ts';
import { assertCallOptions, assertRates, costIn, permitIn, refundIn, waitIn } from './call-options.ts';
import { isReservable, type Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import { Enforcement, enforcedInWords } from './enforcement.ts';
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
import { sharedTable } from './store/shared-table.ts';
import { letThrough } from './store/combine.ts';
import type { TakeRequest, Awaitable, LimitTable } from './store/store.ts';
import { keyOf } from './subject.ts';
import { DEFAULT_WAIT_MS, PERMIT_POLL_MS, Waits } from './waits.ts';

/** The limiter behind `createRateLimiter`, and what `takeAll` needs to know of it. */
export class StoreRateLimiter implements RateLimiter {
  readonly name: string;
  readonly #settings: RateLimiterSettings;
  readonly #table: LimitTable;
  #limits!: readonly Limit[];
  #enforcement!: Enforcement;
  readonly #clock: Clock;
  readonly #ownsStore: boolean;
  readonly #waits: Waits;
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
    this.#adopt(settings.limits);
    this.#waits = new Waits(settings.clock);
    const { name, limits, clock, random, store } = settings;
    const table = store.open({ name, limits, clock, random });
    this.#table = table.synchronous ? table : sharedTable(table, settings);
  }

  tryTake(key: string, options?: CostOptions): Decision {
    const subject = keyOf(key);
    const watching = this.#enforcement.watching(subject);
    const cost = this.#costOf(costIn(options), watching);
    if (this.#table.synchronous) return this.#counted(this.#take(subject, cost, watching) as Decision, watching);
    if (this.#table.takeNow === undefined) {
      throw new OptionsError('tryTake', `a ${this.#settings.store.kind} store`, 'used with memoryStore; else use take');
    }
    const decision = this.#table.takeNow(subject, cost);
    if (decision === undefined) throw new RateLimitStoreError(this.name, 'has lent nothing for this key; use take');
    return this.#counted(decision, watching);
  }

  async take(key: string, options?: CostOptions): Promise<Decision> {
    const subject = keyOf(key);
    const enforcement = this.#enforcement;
    const watching = enforcement.watching(subject);
    const cost = this.#costOf(costIn(options), watching);
    const asked = this.#take(subject, cost, watching);
    const decision = this.#counted(asked instanceof Promise ? await asked : asked, watching, enforcement);
    return tellDecision(this.name, decision);
  }

  async takeUpTo(key: string, most: number): Promise<Decision> {
    assertInteger('takeUpTo.most', most, { min: 1 });
    const subject = keyOf(key);
    const enforcement = this.#enforcement;
    const watching = enforcement.watching(subject);
    const wanted = Math.min(most, enforcement.capacity(watching));
    return this.#counted(await this.#take(subject, wanted, watching, 'upTo'), watching, enforcement);
  }

  async peek(key: string, options: PeekOptions = {}): Promise<Decision> {
    assertCallOptions('peek', options, ['cost']);
    const { cost = 0 } = options;
    assertNumber('peek.cost', cost, { min: 0 });
    return await this.#table.take(keyOf(key), cost, 'peek');
  }

  async reserve(key: string, options: ReserveOptions = {}): Promise<Reservation> {
    assertCallOptions('reserve', options, ['cost', 'maxWaitMs']);
    const { maxWaitMs = DEFAULT_WAIT_MS } = options;
    assertNumber('reserve.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
    const cost = this.#costOf(options.cost);
    const other = this.#limits.find((limit) => !isReservable(limit));
    if (other !== undefined) throw new OptionsError('reserve', `a ${other.kind}`, 'used with token buckets only');
    const subject = keyOf(key);
    const { decision, waitMs, actAt } = await this.#table.reserve(subject, cost, maxWaitMs);
    let held = decision.allowed;
    const cancel = async (): Promise<void> => {
      if (!held) return;
      held = false;
      await this.#table.cancel(subject, cost, actAt);
    };
    // A promise of a wait is no denial to be overruled: shadow mode leaves it as it is.
    if (decision.degraded) this.#degraded++;
    if (decision.allowed) this.#allowed++;
    else this.#denied++;
    return { allowed: decision.allowed, waitMs, decision, cancel };
  }

  async wait(key: string, options: WaitOptions = {}): Promise<Decision> {
    const { cost = 1, maxWaitMs, signal } = waitIn(options);
    signal?.throwIfAborted();
    const limits = this.#limits;
    // A promise waits for every limit, also for one that only watches, and that nobody is to be kept waiting by.
    if (limits.every(isReservable) && this.#enforcement.watching(keyOf(key)) === 0) {
      const { allowed, waitMs, decision, cancel } = await this.reserve(key, { cost, maxWaitMs: maxWaitMs });
      if (!allowed) throw new RateLimitedError(this.name, decision, 429);
      await this.#waits.sleep(waitMs, signal).catch(async (error: unknown) => {
        await cancel();
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
      await this.#waits.sleep(waitMs, signal);
    }
  }

  async refund(key: string, options: RefundOptions = {}): Promise<void> {
    const { cost, stamp } = refundIn(options);
    assertRates('refund', this.#limits);
    if (cost > 0) await this.#table.charge(keyOf(key), -cost, stamp);
  }

  async penalize(key: string, options: CostOptions = {}): Promise<void> {
    assertCallOptions('penalize', options, ['cost']);
    const { cost = 1 } = options;
    assertNumber('penalize.cost', cost, { above: 0 });
    assertRates('penalize', this.#limits);
    await this.#table.charge(keyOf(key), cost, undefined);
  }

  async block(key: string, durationMs: number): Promise<void> {
    assertDurationMs('block.durationMs', durationMs);
    await this.#table.block(keyOf(key), durationMs);
  }

  async reset(key: string): Promise<void> {
    await this.#table.reset(keyOf(key));
  }

  async release(key: string, decision: Decision): Promise<boolean> {
    const permit = permitIn('release', decision);
    return permit !== undefined && (await this.#table.release(keyOf(key), permit));
  }

  async renew(key: string, decision: Decision): Promise<boolean> {
    const permit = permitIn('renew', decision);
    return permit !== undefined && (await this.#table.renew(keyOf(key), permit));
  }

  setLimits(limits: readonly Limit[]): void {
    assertLimits('setLimits', limits);
    this.#table.setLimits(limits);
    this.#adopt(limits);
  }

  /** What `takeAll` asks on behalf of a claim. */
  askFor(key: string, claimed: number | undefined): TakeRequest {
    const subject = keyOf(key);
    const watching = this.#enforcement.watching(subject);
    const cost = this.#costOf(claimed, watching);
    return { table: this.#table.exact ?? this.#table, key: subject, cost, watching };
  }

  /** Counts what `takeAll` was answered. What was not taken because another claim was denied is nothing to count. */
  conclude(decision: Decision, taken: boolean): void {
    if (taken || !decision.allowed) this.#counted(decision, 0);
  }

  describe(): string {
    const { store, enforce, onStoreFailure, expectedInstances } = this.#settings;
    const words = this.#limits.map((limit) => limit.describe() + enforcedInWords(limit.enforce)).join('; and ');
    const outage = store.kind === 'memory' ? '' : `; without the store: ${onStoreFailure}, 1/${expectedInstances} each`;
    const kept = `kept in ${store.describe()}${outage}`;
    return `rate limiter "${this.name}": ${words}; ${kept}${enforce === 1 ? '' : `;${enforcedInWords(enforce)}`}`;
  }

  stats(): RateLimiterStats {
    return {
      allowed: this.#allowed,
      denied: this.#denied,
      shadowed: this.#shadowed,
      degraded: this.#degraded,
      waiting: this.#waits.size,
      ...this.#table.stats(),
    };
  }

  async close(): Promise<void> {
    this.#waits.end(new ClosedError(`Rate limiter "${this.name}"`));
    await this.#table.close?.();
    if (this.#ownsStore) await this.#settings.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #costOf(cost = 1, watching = 0): number {
    if (!(typeof cost === 'number' && cost > 0 && cost < Infinity)) assertNumber('take.cost', cost, { above: 0 });
    const capacity = this.#enforcement.capacity(watching);
    if (cost > capacity) throw new CostAboveCapacityError(this.name, cost, capacity);
    return cost;
  }

  #adopt(limits: readonly Limit[]): void {
    this.#limits = limits;
    this.#enforcement = new Enforcement(limits, this.#settings.enforce);
  }

  /** Where all limits watch, a denial is let through afterwards: it charges nothing, and any store can tell it. */
  #take(key: string, cost: number, watching: number, mode: 'all' | 'upTo' = 'all'): Awaitable<Decision> {
    return this.#table.take(key, cost, mode, this.#enforcement.none(watching) ? 0 : watching);
  }

  /** `enforcement` is that under which it was asked for: other limits may hold by now. */
  #counted(decision: Decision, watching: number, enforcement = this.#enforcement): Decision {
    if (decision.degraded) this.#degraded++;
    if (decision.allowed && decision.wouldAllow === undefined) {
      this.#allowed++;
      return decision;
    }
    const letsThrough = decision.allowed || enforcement.none(watching);
    if (letsThrough) this.#shadowed++;
    else this.#denied++;
    return tellDecision(this.name, letsThrough && !decision.allowed ? letThrough(decision, 0) : decision);
  }
}
