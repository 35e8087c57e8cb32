import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertText,
  OptionsError,
  systemClock,
  systemRandom,
  underPath,
  type Clock,
  type Random,
} from '@macadam/core';
import { adaptiveConcurrency, type AdaptiveConcurrencyOptions } from './adaptive-concurrency/adaptive-concurrency.ts';
import { bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { circuitBreaker } from './circuit-breaker/circuit-breaker.ts';
import { defaultTrip, type CircuitBreakerOptions } from './circuit-breaker/options.ts';
import type { TripRule } from './circuit-breaker/trip-rule.ts';
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

/** Options of {@link standardPipeline}. */
export interface StandardPipelineOptions {
  /** The name of the dependency in errors, statistics and telemetry. Default: `default`. */
  name?: string;
  /** Time limit of the whole call in milliseconds, above 0, waits included. Default: 30 000 (.NET's standard resilience handler). */
  timeoutMs?: number;
  /** Time limit of each attempt in milliseconds, above 0 and at most `timeoutMs`. Default: 10 000, or `timeoutMs` if that is less. */
  attemptTimeoutMs?: number;
  /** The limit on calls in flight, merged over the defaults of `bulkhead()`; `false` for none. */
  bulkhead?: BulkheadOptions | false;
  /** Retries, merged over the defaults of `retry()`; `false` for none. The waits must fit into `timeoutMs`. */
  retry?: RetryOptions | false;
  /** The circuit breaker, merged over the defaults of `circuitBreaker()`; `false` for none. Windows must span two attempts. */
  circuitBreaker?: CircuitBreakerOptions | false;
  /** Sends a second attempt next to a slow one, for calls with `idempotent: true`. Default: `false`. */
  hedge?: HedgeOptions | false;
  /** Limits the attempts in flight by a limit that follows the measured latency. Default: `false`. */
  adaptiveConcurrency?: AdaptiveConcurrencyOptions | false;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
  /** The source of randomness, for jitter. Default: `systemRandom`. */
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
 * Makes a pipeline of the five policies that most calls need, in the right order: bulkhead, timeout of the call, retry, circuit
 * breaker, timeout of the attempt. Each has safe defaults, and the options are checked against each other.
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
  return underPath('standardPipeline', () => compose(options));
}

function compose(options: StandardPipelineOptions): Pipeline {
  const { name = 'default', timeoutMs = 30_000, clock = systemClock, random = systemRandom } = options;
  assertText('name', name);
  assertClock('clock', clock);
  assertFunction('random', random);
  assertDurationMs('timeoutMs', timeoutMs);
  const { attemptTimeoutMs = Math.min(10_000, timeoutMs) } = options;
  assertDurationMs('attemptTimeoutMs', attemptTimeoutMs);
  if (attemptTimeoutMs > timeoutMs) {
    throw new OptionsError('attemptTimeoutMs', attemptTimeoutMs, `at most timeoutMs (${timeoutMs})`);
  }
  const own = {
    bulkhead: layerOptions('bulkhead', options.bulkhead, {}),
    retry: layerOptions('retry', options.retry, {}),
    hedge: layerOptions('hedge', options.hedge, false),
    circuitBreaker: layerOptions('circuitBreaker', options.circuitBreaker, {}),
    adaptiveConcurrency: layerOptions('adaptiveConcurrency', options.adaptiveConcurrency, false),
  };
  const layers: Policy[] = [];
  if (own.bulkhead !== false) layers.push(bulkhead({ clock, ...own.bulkhead }));
  layers.push(timeout({ timeoutMs, clock }));
  // Retries and hedges share one budget.
  const budget = (own.retry === false ? undefined : own.retry.budget) ?? retryBudget({ clock });
  if (own.retry !== false) {
    assertWaitsFit(own.retry, timeoutMs);
    layers.push(retry({ clock, random, budget, ...own.retry }));
  }
  if (own.hedge !== false) {
    assertHedgeFits(own.hedge, timeoutMs);
    layers.push(hedge({ clock, ...(budget !== false && { budget }), ...own.hedge }));
  }
  if (own.circuitBreaker !== false) {
    layers.push(circuitBreaker(breakerOptions(own.circuitBreaker, { name, clock, random }, attemptTimeoutMs)));
  }
  if (own.adaptiveConcurrency !== false) layers.push(adaptiveConcurrency({ clock, ...own.adaptiveConcurrency }));
  // With no layer between them, the timeout of the attempt, which is not longer, replaces that of the call.
  if (layers.at(-1)?.kind === 'timeout') layers.pop();
  layers.push(timeout({ timeoutMs: attemptTimeoutMs, clock }));
  const composed = pipeline(...layers);
  // The circuit breaker is observed already: circuitBreaker() does so itself.
  const others = layers.filter(({ kind }) => kind !== 'circuitBreaker');
  observe(composed, () => others.map((layer) => [name, layer]));
  return composed;
}

/** Returns the options of a layer, or its default. Anything but an object or `false` would be taken for no options. */
function layerOptions<T extends object>(path: string, given: T | false | undefined, absent: T | false): T | false {
  const options = given === undefined ? absent : given;
  if (options === false) return false;
  assertObject(path, options);
  // An option that is undefined is not given, and must not replace that of the pipeline.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** A window shorter than two slow attempts drops the first before the second has ended. Source: .NET's validator. */
function breakerOptions(
  own: CircuitBreakerOptions,
  base: CircuitBreakerOptions,
  attemptTimeoutMs: number,
): CircuitBreakerOptions {
  // What is not a list of rules is left to circuitBreaker() to report.
  const rules: readonly (Partial<TripRule> | null | undefined)[] = Array.isArray(own.trip) ? own.trip : [];
  for (const [i, rule] of rules.entries()) {
    const windowMs = rule?.windowMs;
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

/** A hedge after the end of the call would never be sent. Source: .NET's validator. */
function assertHedgeFits({ delayMs, maxHedges = 1 }: HedgeOptions, timeoutMs: number): void {
  if (typeof delayMs !== 'number' || delayMs * maxHedges < timeoutMs) return;
  throw new OptionsError(
    'hedge.delayMs',
    delayMs,
    `such that ${maxHedges} x delayMs is less than timeoutMs (${timeoutMs})`,
  );
}

/** Waits that leave no time for the last attempt are a mistake: that attempt would never be made. */
function assertWaitsFit(own: RetryOptions, timeoutMs: number): void {
  if (own.backoff === undefined && own.maxAttempts === undefined) return;
  const { backoff = fullJitter(), maxAttempts = 3 } = own;
  assertFunction('retry.backoff', backoff);
  let sumMs = 0;
  let previousMs = 0;
  for (let retried = 1; retried < Math.min(maxAttempts, 1_000); retried++) {
    previousMs = backoff({ retry: retried, previousMs, random: () => 0.5 });
    sumMs += previousMs;
  }
  if (sumMs < timeoutMs) return;
  const path = own.backoff === undefined ? 'retry.maxAttempts' : 'retry.backoff';
  const value = own.backoff === undefined ? maxAttempts : Math.round(sumMs);
  throw new OptionsError(
    path,
    value,
    `such that the waits (about ${Math.round(sumMs)} ms in all) fit into timeoutMs (${timeoutMs})`,
  );
}
