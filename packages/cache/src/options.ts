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
  assertShortText,
  VALUE_OPTION_NAMES,
  valueSettings,
  type ValueOptions,
  type ValueSettings,
} from './value-options.ts';

/** Options of `createCache`. */
export interface CacheOptions<T = unknown> extends ValueOptions<T> {
  /**
   * Name of the cache, 1 to 255 bytes. Appears in errors, statistics and metrics, and is the namespace in the shared
   * tier.
   */
  name: string;
  /**
   * How long a value is fresh, in milliseconds, above 0; `Infinity` for ever. A load can override it (`setTtl`).
   * Default: 60 000.
   */
  ttlMs?: number;
  /**
   * Shortens each lifetime by a random share of up to this ratio, from 0 to 0.99, so that values stored together do not
   * expire together. Default: 0.1.
   */
  ttlJitter?: number;
  /**
   * How long after its lifetime a value is served while it is reloaded in the background, in milliseconds, at least 0
   * (RFC 5861). Default: 0.
   */
  staleWhileRevalidateMs?: number;
  /**
   * How long after its lifetime a value is served when the reload fails or takes longer than `loaderSoftTimeoutMs`, in
   * milliseconds, at least 0 (RFC 5861). Default: 3 600 000 (one hour).
   */
  staleIfErrorMs?: number;
  /** How long a cached absence (`null`) lives, in milliseconds, above 0. It is never served stale. Default: 5 000. */
  negativeTtlMs?: number;
  /**
   * How long a caller waits for a load before it gets the stale value instead, in milliseconds, at least 0; the load
   * continues. Ignored where there is no stale value. `Infinity`: wait for the load. Default: 100.
   */
  loaderSoftTimeoutMs?: number;
  /** Time limit of a load, in milliseconds, above 0. Includes waiting for a free slot. Default: 5 000. */
  loaderTimeoutMs?: number;
  /** Reloads values that are read often shortly before they expire, in the background, by one caller. Default: true. */
  earlyRefresh?: boolean;
  /**
   * Limits of the memory tier. `false` keeps nothing in memory, and requires `l2`. Default: the defaults of
   * `MemoryOptions`.
   */
  l1?: MemoryOptions | false;
  /** The tier that is shared with other processes, such as `redisTier(client)`. Default: none. */
  l2?: Tier;
  /**
   * How this process learns what other processes changed; use the same value in all of them. Requires `l2`. Default:
   * `log`.
   */
  coherence?: Coherence;
  /** Who may modify a cached value. Default: `share`. */
  isolation?: Isolation;
  /**
   * Maximum number of loads in flight, a whole number of at least 1; further loads wait for a free slot. Default: 64.
   */
  maxConcurrentLoads?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness, for jitter. Default: `Math.random`. */
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

/** Most defaults follow FusionCache and Caffeine; the stale windows follow the examples of RFC 5861. */
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
  assertShortText('createCache.name', options.name);
  const settings = {
    ...DEFAULTS,
    clock: systemClock,
    random: systemRandom,
    ...withoutUndefined(options),
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
    throw new OptionsError(path('coherence'), options.coherence, 'left out without l2');
  }
  if (options.l1 === false && settings.l2 === undefined) {
    throw new OptionsError(path('l1'), options.l1, 'an object unless l2 is set');
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

/** Without undefined properties, which would override defaults. */
function withoutUndefined<O extends object>(options: O): O {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as O;
}

/** Options of `cache.set`, and of the value that a load stores. */
export interface SetOptions {
  /** How long the value is fresh, in milliseconds, at least 0; 0 stores nothing. Default: `ttlMs` of the cache. */
  ttlMs?: number;
  /** Tags by which the value can be invalidated; at most 16. Default: none. */
  tags?: readonly string[];
}

/** Options of `cache.getOrLoad` and `cache.getOrLoadMany`. */
export interface LoadOptions extends SetOptions {
  /** Loads now, whatever is cached, and never takes the result of a load that started earlier. Default: false. */
  fresh?: boolean;
  /**
   * Stops waiting when it aborts, and rejects with its reason; the load continues for other callers. The signal and
   * deadline of the current unit of work apply as well. Default: none.
   */
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

/** Returns a copy of checked options: a load uses them later, when the caller may have changed its own. */
export function copyOptions(options: LoadOptions): LoadOptions {
  return options.tags === undefined ? { ...options } : { ...options, tags: [...options.tags] };
}

function assertLifetime(path: string, { ttlMs, tags }: SetOptions): void {
  if (ttlMs !== undefined) assertTtl(`${path}.ttlMs`, ttlMs);
  if (tags !== undefined) assertTags(`${path}.tags`, tags);
}

/** Throws `OptionsError` unless `ttlMs` is a valid lifetime; 0 stores nothing. */
export function assertTtl(path: string, ttlMs: unknown): asserts ttlMs is number {
  assertDurationMs(path, ttlMs, { min: 0, infinite: true });
}
