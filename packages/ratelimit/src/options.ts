import {
  assertBoolean,
  assertClock,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import { assertLimitName, type Limit } from './algorithms/limit.ts';
import { memoryStore } from './store/memory-store.ts';
import type { RateLimitStore } from './store/store.ts';

/**
 * How a limiter decides while the shared store does not respond. `local`: by limits in this process. `open`: allows
 * everything. `closed`: rejects with `MAC_RATE_LIMIT_STORE`.
 */
export type OnStoreFailure = 'closed' | 'local' | 'open';

/** Options of `createRateLimiter`. */
export interface RateLimiterOptions {
  /** Name in errors, statistics, metrics and store keys: letters, digits, spaces and `_ . : / -`. */
  name: string;
  /**
   * The limits. All of them must allow a request; none is charged unless all do. At least one, with different names.
   */
  limits: readonly Limit[];
  /** Where the state is kept. Default: `memoryStore()`. */
  store?: RateLimitStore;
  /**
   * How requests are decided while the store does not respond. `local`: by limits in this process, with its share of
   * each limit (see `expectedInstances`). `open`: everything is allowed. `closed`: rejects with `MAC_RATE_LIMIT_STORE`.
   * Such decisions are `degraded`. Use `local` or `closed` for logins and against abuse. Ignored by `memoryStore`.
   * Default: `local`.
   */
  onStoreFailure?: OnStoreFailure;
  /**
   * Number of processes that share the limits, at least 1. Each gets that fraction of them while the store does not
   * respond. Default: 1.
   */
  expectedInstances?: number;
  /** Decides and counts, but allows everything; decisions have `wouldAllow`. Default: false. */
  shadow?: boolean;
  /**
   * Ratio of keys for which denials count, 0 to 1; the others are let through as with `shadow`. A key always stays on
   * its side. Cannot be combined with `shadow`. Default: 1.
   */
  enforce?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness. Default: `Math.random`. */
  random?: Random;
}

/** The options with every default filled in, checked. */
export type RateLimiterSettings = Required<Omit<RateLimiterOptions, 'shadow'>>;

const OPTION_NAMES = [
  'name',
  'limits',
  'store',
  'onStoreFailure',
  'expectedInstances',
  'shadow',
  'enforce',
  'clock',
  'random',
] as const;

export function rateLimiterSettings(options: RateLimiterOptions): RateLimiterSettings {
  const path = 'createRateLimiter';
  assertObject(path, options);
  assertKnownOptions(path, options, OPTION_NAMES);
  const { name, limits, onStoreFailure = 'local', expectedInstances = 1, shadow = false } = options;
  const { store = memoryStore(), clock = systemClock, random = systemRandom, enforce = shadow ? 0 : 1 } = options;
  assertLimitName(`${path}.name`, name);
  assertLimits(`${path}.limits`, limits);
  if (typeof store !== 'object' || store === null || typeof store.open !== 'function') {
    throw new OptionsError(`${path}.store`, store, 'a store such as memoryStore()');
  }
  assertOneOf(`${path}.onStoreFailure`, onStoreFailure, ['local', 'open', 'closed']);
  assertInteger(`${path}.expectedInstances`, expectedInstances, { min: 1, max: 1_000_000 });
  assertBoolean(`${path}.shadow`, shadow);
  assertNumber(`${path}.enforce`, enforce, { min: 0, max: 1 });
  if (shadow && enforce > 0) throw new OptionsError(`${path}.enforce`, enforce, 'left out with shadow');
  assertClock(`${path}.clock`, clock);
  assertFunction(`${path}.random`, random);
  return { name, limits, store, onStoreFailure, expectedInstances, enforce, clock, random };
}

export function assertLimits(path: string, limits: unknown): asserts limits is readonly Limit[] {
  if (!Array.isArray(limits) || limits.length === 0 || limits.length > 16) {
    throw new OptionsError(path, limits, 'a list of 1 to 16 limits');
  }
  const names = new Set<string>();
  let permits = 0;
  for (const [i, limit] of (limits as readonly Limit[]).entries()) {
    if (typeof limit?.look !== 'function')
      throw new OptionsError(`${path}[${i}]`, limit, 'a limit such as tokenBucket()');
    if (names.has(limit.name)) throw new OptionsError(`${path}[${i}].name`, limit.name, 'different from the others');
    names.add(limit.name);
    if (limit.kind === 'concurrency') permits++;
  }
  if (permits > 1) throw new OptionsError(path, limits, 'a list with one concurrency limit at most');
}
