import {
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import { adaptiveConcurrency, type AdaptiveConcurrencyOptions } from './adaptive-concurrency/adaptive-concurrency.ts';
import { bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { circuitBreaker } from './circuit-breaker/circuit-breaker.ts';
import { defaultTrip, type CircuitBreakerOptions } from './circuit-breaker/options.ts';
import { hedge } from './hedge/hedge.ts';
import type { HedgeOptions } from './hedge/options.ts';
import { observe } from './instruments.ts';
import { pipeline, type Pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { fullJitter } from './retry/backoff.ts';
import type { RetryOptions } from './retry/options.ts';
import { retryBudget } from './retry/retry-budget.ts';
import { retry } from './retry/retry.ts';
import { timeout } from './timeout.ts';

export interface StandardPipelineOptions {
  /** The dependency, for errors and statistics. Default: `default`. */
  name?: string;
  /** Limit of the whole call, waits included, in milliseconds. Default: 30 000 (.NET's standard handler). */
  timeoutMs?: number;
  /** Limit of each try, in milliseconds, at most `timeoutMs`. Default: 10 000, or `timeoutMs` when that is less. */
  attemptTimeoutMs?: number;
  /** Merged over the defaults, or `false` for none. */
  bulkhead?: BulkheadOptions | false;
  /** Merged over the defaults, or `false` for none. */
  retry?: RetryOptions | false;
  /** Merged over the defaults, or `false` for none. */
  circuitBreaker?: CircuitBreakerOptions | false;
  /** A second try beside a slow one, for calls declared idempotent. Default: `false`. */
  hedge?: HedgeOptions | false;
  /** A limit on tries in flight that finds itself. Default: `false`. */
  adaptiveConcurrency?: AdaptiveConcurrencyOptions | false;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

const OPTION_NAMES = [
  'name',
  'timeoutMs',
  'attemptTimeoutMs',
  'bulkhead',
  'retry',
  'circuitBreaker',
  'hedge',
  'adaptiveConcurrency',
  'clock',
  'random',
] as const;

/**
 * The five layers most calls want, in their one sensible order: bulkhead, timeout of the call, retry, circuit breaker,
 * timeout of the attempt; each with safe defaults, and checked against one another.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option, or options that contradict each other.
 * @example
 * ```ts
 * import { standardPipeline } from '@macadam/resilience';
 *
 * const db = standardPipeline({ name: 'db', timeoutMs: 2_000, attemptTimeoutMs: 500 });
 * const rows = await db.execute(async () => ['a row']);
 * console.log(db.describe());
 * ```
 */
export function standardPipeline(options: StandardPipelineOptions = {}): Pipeline {
  assertObject('standardPipeline', options);
  assertKnownOptions('standardPipeline', options, OPTION_NAMES);
  const { name = 'default', timeoutMs = 30_000, clock = systemClock, random = systemRandom } = options;
  assertDurationMs('timeoutMs', timeoutMs);
  const { attemptTimeoutMs = Math.min(10_000, timeoutMs) } = options;
  assertDurationMs('attemptTimeoutMs', attemptTimeoutMs);
  if (attemptTimeoutMs > timeoutMs) {
    throw new OptionsError('attemptTimeoutMs', attemptTimeoutMs, `at most timeoutMs (${timeoutMs})`);
  }
  const layers: Policy[] = [];
  if (options.bulkhead !== false) layers.push(bulkhead({ clock, ...options.bulkhead }));
  layers.push(timeout({ timeoutMs, clock }));
  // One budget for everything that repeats calls to this dependency.
  const budget = (options.retry === false ? undefined : options.retry?.budget) ?? retryBudget({ clock });
  if (options.retry !== false) {
    assertWaitsFit(options.retry, timeoutMs);
    layers.push(retry({ clock, random, budget, ...options.retry }));
  }
  if (options.hedge !== undefined && options.hedge !== false) {
    assertHedgeFits(options.hedge, timeoutMs);
    layers.push(hedge({ clock, ...(budget !== false && { budget }), ...options.hedge }));
  }
  if (options.circuitBreaker !== false) {
    layers.push(circuitBreaker(breakerOptions(options.circuitBreaker, { name, clock, random }, attemptTimeoutMs)));
  }
  if (options.adaptiveConcurrency !== undefined && options.adaptiveConcurrency !== false) {
    layers.push(adaptiveConcurrency({ clock, ...options.adaptiveConcurrency }));
  }
  // Without a layer between them two timeouts are one: the shorter.
  if (layers.at(-1)?.kind === 'timeout') layers.pop();
  layers.push(timeout({ timeoutMs: attemptTimeoutMs, clock }));
  const composed = pipeline(...layers);
  // The breaker tells of itself.
  const others = layers.filter(({ kind }) => kind !== 'circuitBreaker');
  observe(composed, () => others.map((layer) => [name, layer]));
  return composed;
}

/** A window shorter than two slow attempts forgets the first before the second has ended. Source: .NET's validator. */
function breakerOptions(
  own: CircuitBreakerOptions | undefined,
  base: CircuitBreakerOptions,
  attemptTimeoutMs: number,
): CircuitBreakerOptions {
  for (const [i, { windowMs }] of (own?.trip ?? []).entries()) {
    if (windowMs === undefined || windowMs >= 2 * attemptTimeoutMs) continue;
    throw new OptionsError(
      `circuitBreaker.trip[${i}].windowMs`,
      windowMs,
      `at least twice attemptTimeoutMs (${attemptTimeoutMs})`,
    );
  }
  const windowMs = Math.max(30_000, 2 * attemptTimeoutMs);
  return { ...base, trip: defaultTrip(windowMs), probeLeaseMs: attemptTimeoutMs + 1_000, ...own };
}

/** A hedge that would be sent when the call is over is none. Source: .NET's validator. */
function assertHedgeFits({ delayMs, maxHedges = 1 }: HedgeOptions, timeoutMs: number): void {
  if (typeof delayMs !== 'number' || delayMs * maxHedges < timeoutMs) return;
  throw new OptionsError(
    'hedge.delayMs',
    delayMs,
    `such that ${maxHedges} x delayMs is less than timeoutMs (${timeoutMs})`,
  );
}

/** Waits that leave no time for the last attempt are a mistake: the attempt would be promised and never made. */
function assertWaitsFit(own: RetryOptions | undefined, timeoutMs: number): void {
  if (own?.backoff === undefined && own?.maxAttempts === undefined) return;
  const { backoff = fullJitter(), maxAttempts = 3 } = own;
  let sumMs = 0;
  let previousMs = 0;
  for (let retried = 1; retried < Math.min(maxAttempts, 1_000); retried++) {
    previousMs = backoff({ retry: retried, previousMs, random: () => 0.5 });
    sumMs += previousMs;
  }
  if (sumMs < timeoutMs) return;
  const path = own?.backoff === undefined ? 'retry.maxAttempts' : 'retry.backoff';
  const value = own?.backoff === undefined ? maxAttempts : Math.round(sumMs);
  throw new OptionsError(
    path,
    value,
    `such that the waits (about ${Math.round(sumMs)} ms in all) fit into timeoutMs (${timeoutMs})`,
  );
}
