import { assertDurationMs, assertInteger, assertNumber, currentWork, OptionsError, type Clock } from '@macadam/core';
import { isPermitLimit, isReservable } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import { CostAboveCapacityError, LimitStoreError, RateLimitedError } from './errors.ts';
import { observe } from './instruments.ts';
import { rateLimiterSettings, type RateLimiterOptions, type RateLimiterSettings } from './options.ts';
import type {
  CostOptions,
  PeekOptions,
  RateLimiter,
  RefundOptions,
  Reservation,
  ReserveOptions,
  WaitOptions,
} from './rate-limiter.ts';
import { sharedTable } from './store/shared-table.ts';
import type { LimitTable } from './store/store.ts';
import { keyOf, shareOf } from './subject.ts';
import { Waits } from './waits.ts';

const DEFAULT_WAIT_MS = 30_000;
/** A permit can be given back any time, also by another process: nobody says when. */
const PERMIT_POLL_MS = 100;
class StoreRateLimiter implements RateLimiter {
  readonly name: string;
  readonly #settings: RateLimiterSettings;
  readonly #table: LimitTable;
  readonly #capacity: number;
  readonly #enforcesAll: boolean;
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
    this.#capacity = Math.min(...settings.limits.map(({ capacity }) => capacity));
    this.#enforcesAll = settings.enforce === 1;
    this.#waits = new Waits(settings.clock);
    const { name, limits, clock, random, store } = settings;
    const table = store.open({ name, limits, clock, random });
    this.#table = table.synchronous ? table : sharedTable(table, settings);
  }

  tryTake(key: string, options?: CostOptions): Decision {
    const cost = this.#costOf(options);
    const subject = keyOf(key);
    if (this.#table.synchronous) return this.#counted(subject, this.#table.take(subject, cost, 'all') as Decision);
    if (this.#table.takeNow === undefined) {
      throw new OptionsError('tryTake', `a ${this.#settings.store.kind} store`, 'used with memoryStore; else use take');
    }
    const decision = this.#table.takeNow(subject, cost);
    if (decision === undefined) throw new LimitStoreError(this.name, 'has lent nothing for this key; use take');
    return this.#counted(subject, decision);
  }

  async take(key: string, options?: CostOptions): Promise<Decision> {
    const cost = this.#costOf(options);
    const subject = keyOf(key);
    const decision = this.#table.take(subject, cost, 'all');
    return this.#counted(subject, decision instanceof Promise ? await decision : decision);
  }

  async takeUpTo(key: string, most: number): Promise<Decision> {
    assertInteger('takeUpTo.most', most, { min: 1 });
    const subject = keyOf(key);
    return this.#counted(subject, await this.#table.take(subject, Math.min(most, this.#capacity), 'upTo'));
  }

  async peek(key: string, options: PeekOptions = {}): Promise<Decision> {
    const { cost = 0 } = options;
    assertNumber('peek.cost', cost, { min: 0 });
    return await this.#table.take(keyOf(key), cost, 'peek');
  }

  async reserve(key: string, options: ReserveOptions = {}): Promise<Reservation> {
    const { maxWaitMs = DEFAULT_WAIT_MS } = options;
    assertNumber('reserve.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
    const cost = this.#costOf(options);
    const other = this.#settings.limits.find((limit) => !isReservable(limit));
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
    const { cost = 1, deadlineMs = currentWork()?.deadline?.remainingMs() ?? DEFAULT_WAIT_MS } = options;
    assertNumber('wait.deadlineMs', deadlineMs, { min: 0, infinite: true });
    const signal = options.signal ?? currentWork()?.cancellation;
    signal?.throwIfAborted();
    const { limits } = this.#settings;
    if (limits.every(isReservable)) {
      const { allowed, waitMs, decision, cancel } = await this.reserve(key, { cost, maxWaitMs: deadlineMs });
      if (!allowed) throw new RateLimitedError(this.name, decision);
      await this.#waits.sleep(waitMs, signal).catch(async (error: unknown) => {
        await cancel();
        throw error;
      });
      return decision;
    }
    const polls = limits.some(({ kind }) => kind === 'concurrency');
    const until = this.#clock.monotonic() + deadlineMs;
    for (;;) {
      const decision = await this.take(key, { cost });
      if (decision.allowed) return decision;
      const leftMs = until - this.#clock.monotonic();
      const waitMs = polls ? Math.min(decision.retryAfterMs, PERMIT_POLL_MS) : decision.retryAfterMs;
      if (waitMs > leftMs) throw new RateLimitedError(this.name, decision);
      await this.#waits.sleep(waitMs, signal);
    }
  }

  async refund(key: string, options: RefundOptions = {}): Promise<void> {
    const { cost = options.decision?.granted ?? 1, decision } = options;
    assertNumber('refund.cost', cost, { min: 0 });
    this.#assertRates('refund');
    if (cost > 0) await this.#table.charge(keyOf(key), -cost, decision?.stamp);
  }

  async penalize(key: string, options: CostOptions = {}): Promise<void> {
    const { cost = 1 } = options;
    assertNumber('penalize.cost', cost, { above: 0 });
    this.#assertRates('penalize');
    await this.#table.charge(keyOf(key), cost, undefined);
  }

  async block(key: string, durationMs: number): Promise<void> {
    assertDurationMs('block.durationMs', durationMs);
    await this.#table.block(keyOf(key), durationMs);
  }

  async reset(key: string): Promise<void> {
    await this.#table.reset(keyOf(key));
  }

  async release(key: string, { permit }: Decision): Promise<boolean> {
    return permit !== undefined && (await this.#table.release(keyOf(key), permit));
  }

  async renew(key: string, { permit }: Decision): Promise<boolean> {
    return permit !== undefined && (await this.#table.renew(keyOf(key), permit));
  }

  describe(): string {
    const { limits, store, enforce, onStoreFailure, expectedInstances } = this.#settings;
    const words = limits.map((limit) => limit.describe()).join('; and ');
    const outage = store.kind === 'memory' ? '' : `; without the store: ${onStoreFailure}, 1/${expectedInstances} each`;
    const shadow = enforce === 0 ? '; in shadow' : enforce < 1 ? `; enforced for ${enforce * 100} % of keys` : '';
    return `rate limiter "${this.name}": ${words}; kept in ${store.describe()}${outage}${shadow}`;
  }

  stats(): Readonly<Record<string, number>> {
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
    this.#waits.end(new RateLimitedError(this.name, CLOSED));
    await this.#table.close?.();
    if (this.#ownsStore) await this.#settings.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #costOf(options: CostOptions | undefined): number {
    const cost = options?.cost === undefined ? 1 : options.cost;
    if (!(typeof cost === 'number' && cost > 0 && cost < Infinity)) assertNumber('take.cost', cost, { above: 0 });
    if (cost > this.#capacity) throw new CostAboveCapacityError(this.name, cost, this.#capacity);
    return cost;
  }

  /** A permit is given back by `release`; there is nothing to add to or take off. */
  #assertRates(operation: string): void {
    if (!this.#settings.limits.some(isPermitLimit)) return;
    throw new OptionsError(operation, 'a concurrency limit', 'used with limits by rate; a permit ends by release');
  }

  #counted(key: string, decision: Decision): Decision {
    if (decision.degraded) this.#degraded++;
    if (decision.allowed) {
      this.#allowed++;
      return decision;
    }
    if (this.#enforcesAll || shareOf(key) < this.#settings.enforce) {
      this.#denied++;
      return decision;
    }
    this.#shadowed++;
    return { ...decision, allowed: true, wouldAllow: false };
  }
}

const CLOSED = { policy: 'closed', limit: 0, remaining: 0, retryAfterMs: 0 };

/**
 * Limits what each key may do: a caller, an address, a tenant.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createRateLimiter, rateLimitHeaders, tokenBucket } from '@macadam/ratelimit';
 *
 * const perKey = createRateLimiter({ name: 'api', limits: [tokenBucket({ limit: 100, periodMs: 1_000, burst: 200 })] });
 * const decision = await perKey.take('key-7');
 * if (!decision.allowed) console.log(429, rateLimitHeaders(decision));
 * ```
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const limiter = new StoreRateLimiter(options);
  observe('limiter', limiter.name, limiter);
  return limiter;
}
