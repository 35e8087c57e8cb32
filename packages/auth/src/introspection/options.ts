import { assertDurationMs, assertInteger, assertKnownOptions, assertObject, type Random } from '@macadam/core';
import type { OAuthClientOptions } from '../tokens/options.ts';

/** Options of `createIntrospector`. */
export interface IntrospectorOptions extends OAuthClientOptions {
  /** URL of the endpoint. `https`, except on loopback. */
  introspectionUrl: string;
  /** Name in metrics. Default: the host of `introspectionUrl`. */
  name?: string;
  /** Required value of `iss`, where the response has one. Default: any. */
  issuer?: string;
  /**
   * Your audience: `aud` must contain one of these. `[]` when the endpoint judges it itself, since it knows the client.
   */
  audience: string | readonly string[];
  /** Tolerated difference of clocks, in milliseconds, 0 to 60_000. Default: 10_000. */
  clockToleranceMs?: number;
  /**
   * Caches responses for a short time; `false` asks for each verification. Default: the defaults of {@link
   * IntrospectionCacheOptions}.
   */
  cache?: IntrospectionCacheOptions | false;
  /** Source of randomness, for the circuit breaker. Default: `Math.random`. */
  random?: Random;
}

/** How long introspection responses are cached. */
export interface IntrospectionCacheOptions {
  /** Maximum number of active tokens, and of inactive ones. Default: 10_000. */
  maxEntries?: number;
  /** How long an active token is cached, in milliseconds, never beyond its expiry. Default: 60_000. */
  activeTtlMs?: number;
  /** How long an inactive token is cached, in milliseconds. Default: 10_000. */
  inactiveTtlMs?: number;
}

/** Validates the option `cache`; `undefined` when it is `false`. */
export function cacheSettings(
  options: IntrospectorOptions['cache'] = {},
): Required<IntrospectionCacheOptions> | undefined {
  if (options === false) return undefined;
  assertObject('cache', options);
  assertKnownOptions('cache', options, ['maxEntries', 'activeTtlMs', 'inactiveTtlMs']);
  const { maxEntries = 10_000, activeTtlMs = 60_000, inactiveTtlMs = 10_000 } = options;
  assertInteger('cache.maxEntries', maxEntries, { min: 1 });
  assertDurationMs('cache.activeTtlMs', activeTtlMs);
  assertDurationMs('cache.inactiveTtlMs', inactiveTtlMs);
  return { maxEntries, activeTtlMs, inactiveTtlMs };
}
