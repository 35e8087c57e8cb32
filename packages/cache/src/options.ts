import {
  assertBoolean,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertText,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from '@macadam/core';
import type { Isolation } from './isolation.ts';
import { memorySettings, type MemoryOptions } from './memory-options.ts';
import { assertTags } from './tag-marks.ts';
import type { Coherence, Tier } from './tier.ts';
import {
  assertShort,
  VALUE_OPTION_NAMES,
  valueSettings,
  type ValueOptions,
  type ValueSettings,
} from './value-options.ts';

export interface CacheOptions<T = unknown> extends ValueOptions<T> {
  /** Stands in errors, statistics, metrics and, as its namespace, in the shared tier; 1 to 255 bytes. */
  name: string;
  /** How long a value is fresh, in milliseconds, above 0; `Infinity` for ever. A load can say otherwise. Default: 60 000. */
  ttlMs?: number;
  /**
   * Each lifetime is shortened by a random part of up to this share, 0 to below 1, so that values stored together do not expire
   * together. Default: 0.1.
   */
  ttlJitter?: number;
  /** After its lifetime a value is served this long while it is loaded anew, in milliseconds, at least 0. Default: 0. */
  staleWhileRevalidateMs?: number;
  /**
   * After its lifetime a value is served this long when loading it anew fails or takes longer than `loaderSoftTimeoutMs`, in
   * milliseconds, at least 0. Default: 3 600 000 (an hour).
   */
  staleIfErrorMs?: number;
  /** How long a cached absence (`null`) lives, in milliseconds, above 0. It is never served stale. Default: 5 000. */
  negativeTtlMs?: number;
  /**
   * How long a caller waits for a load when there is a stale value to serve instead, in milliseconds, at least 0; the load goes
   * on. `Infinity`: as long as without one. Default: 100.
   */
  loaderSoftTimeoutMs?: number;
  /** The longest a load may take, waiting for its turn included, in milliseconds, above 0. Default: 5 000. */
  loaderTimeoutMs?: number;
  /** Values that are read often are loaded anew a little before they expire, by one caller. Default: true. */
  earlyRefresh?: boolean;
  /** The bounds of what is kept in memory; `false` keeps nothing there, and needs `l2`. */
  l1?: MemoryOptions | false;
  /** Where values are shared with other processes, such as `redisTier(client)`. Default: nowhere. */
  l2?: Tier;
  /** How the memory learns what other processes changed; the same in all of them. Needs `l2`. Default: `log`. */
  coherence?: Coherence;
  /** Who may change a cached value. Default: `share`. */
  isolation?: Isolation;
  /** Loads in flight at once, at least 1; more wait for their turn. Default: 64. */
  maxConcurrentLoads?: number;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

/** The options with every default filled in, checked. */
export type CacheSettings = Required<Omit<CacheOptions, keyof ValueOptions | 'l1' | 'l2'>> &
  ValueSettings & { readonly l1: Required<MemoryOptions>; readonly l2: Tier | undefined };

const OPTION_NAMES = [
  'name',
  'ttlMs',
  'ttlJitter',
  'staleWhileRevalidateMs',
  'staleIfErrorMs',
  'negativeTtlMs',
  'loaderSoftTimeoutMs',
  'loaderTimeoutMs',
  'earlyRefresh',
  'l1',
  'l2',
  'coherence',
  'isolation',
  ...VALUE_OPTION_NAMES,
  'maxConcurrentLoads',
  'clock',
  'random',
] as const;

/** Source of most defaults: FusionCache and Caffeine in practice; of the stale window, RFC 5861's examples. */
const DEFAULTS = {
  ttlMs: 60_000,
  ttlJitter: 0.1,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 3_600_000,
  negativeTtlMs: 5_000,
  loaderSoftTimeoutMs: 100,
  loaderTimeoutMs: 5_000,
  earlyRefresh: true,
  l2: undefined,
  coherence: 'log',
  isolation: 'share',
  maxConcurrentLoads: 64,
} as const;

export function cacheSettings(options: CacheOptions): CacheSettings {
  assertObject('createCache', options);
  assertKnownOptions('createCache', options, OPTION_NAMES);
  assertText('createCache.name', options.name);
  assertShort('createCache.name', options.name);
  const settings = {
    ...DEFAULTS,
    clock: systemClock,
    random: systemRandom,
    ...given(options),
    ...valueSettings('createCache', options),
    l1: memorySettings('createCache.l1', options.l1),
  } as CacheSettings;
  const path = (name: string): string => `createCache.${name}`;
  for (const name of ['ttlMs', 'negativeTtlMs', 'loaderTimeoutMs'] as const) {
    assertDurationMs(path(name), settings[name], { above: 0, infinite: name !== 'loaderTimeoutMs' });
  }
  for (const name of ['staleWhileRevalidateMs', 'staleIfErrorMs', 'loaderSoftTimeoutMs'] as const) {
    assertDurationMs(path(name), settings[name], { min: 0, infinite: true });
  }
  assertNumber(path('ttlJitter'), settings.ttlJitter, { min: 0, max: 0.99 });
  assertBoolean(path('earlyRefresh'), settings.earlyRefresh);
  assertOneOf(path('isolation'), settings.isolation, ['share', 'freeze', 'clone']);
  assertOneOf(path('coherence'), settings.coherence, ['log', 'tracking', 'pubsub', 'none']);
  assertTier(path('l2'), settings.l2);
  if (options.coherence !== undefined && settings.l2 === undefined) {
    throw new OptionsError(
      path('coherence'),
      options.coherence,
      'nothing, without l2: one memory is coherent with itself',
    );
  }
  if (options.l1 === false && settings.l2 === undefined) {
    throw new OptionsError(path('l1'), options.l1, 'bounds, without l2: a cache has to keep its values somewhere');
  }
  assertObject(path('clock'), settings.clock);
  assertFunction(path('clock.monotonic'), settings.clock.monotonic);
  assertFunction(path('clock.setTimer'), settings.clock.setTimer);
  assertFunction(path('random'), settings.random);
  assertInteger(path('maxConcurrentLoads'), settings.maxConcurrentLoads, { min: 1 });
  return settings;
}

function assertTier(path: string, tier: unknown): void {
  if (tier === undefined) return;
  if (typeof (tier as Partial<Tier> | null)?.open !== 'function')
    throw new OptionsError(path, tier, 'a tier, such as redisTier()');
}

/** Without what is undefined, which would hide a default. */
function given<O extends object>(options: O): O {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as O;
}

export interface SetOptions {
  /** How long the value is fresh, in milliseconds, at least 0; 0 keeps nothing. Default: the cache's. */
  ttlMs?: number;
  /** Tags by which it can be invalidated; 16 at most. Default: none. */
  tags?: readonly string[];
}

export interface LoadOptions extends SetOptions {
  /** Loads now, whatever is cached, and never takes the result of a load that had begun before. Default: false. */
  fresh?: boolean;
  /** Detaches this caller when it aborts; the load goes on for others. The current work's signal counts too. */
  signal?: AbortSignal;
}

export const NO_OPTIONS: LoadOptions = {};

export function assertSetOptions(path: string, options: SetOptions): void {
  assertObject(path, options);
  assertKnownOptions(path, options, ['ttlMs', 'tags']);
  assertLifetime(path, options);
}

export function assertLoadOptions(path: string, options: LoadOptions): void {
  assertObject(path, options);
  assertKnownOptions(path, options, ['ttlMs', 'tags', 'fresh', 'signal']);
  assertLifetime(path, options);
  if (options.fresh !== undefined) assertBoolean(`${path}.fresh`, options.fresh);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new OptionsError(`${path}.signal`, options.signal, 'an AbortSignal');
  }
}

function assertLifetime(path: string, { ttlMs, tags }: SetOptions): void {
  if (ttlMs !== undefined) assertTtl(`${path}.ttlMs`, ttlMs);
  if (tags !== undefined) assertTags(`${path}.tags`, tags);
}

/** Throws `OptionsError` unless `ttlMs` is a lifetime; 0 keeps nothing. */
export function assertTtl(path: string, ttlMs: unknown): asserts ttlMs is number {
  assertDurationMs(path, ttlMs, { min: 0, infinite: true });
}
