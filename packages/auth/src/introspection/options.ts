import { assertDurationMs, assertInteger, assertKnownOptions, assertObject, type Random } from '@macadam/core';
import type { OAuthClientOptions } from '../tokens/options.ts';

/** Options of `createIntrospector`. */
export interface IntrospectorOptions extends OAuthClientOptions {
  /** `https`, except on loopback. */
  introspectionUrl: string;
  /** What its metrics are under. Default: the host of `introspectionUrl`. */
  name?: string;
  /** What `iss` must be, where the endpoint tells it. Default: anything. */
  issuer?: string;
  /** What `aud` must hold: you. One of them is enough. Say `[]` if the endpoint judges that, as it knows who asks. */
  audience: string | readonly string[];
  /** How far the issuer's clock and ours may differ, in milliseconds. Default: 10_000; at most 60_000. */
  clockToleranceMs?: number;
  /** Answers are remembered for a short while; `false` asks each time. */
  cache?: IntrospectionCacheOptions | false;
  /** Spreads the looks at an endpoint that is down. Default: the random source of the machine. */
  random?: Random;
}

/** What an introspector remembers. */
export interface IntrospectionCacheOptions {
  /** Answers remembered at most, of each kind. Default: 10_000. */
  maxEntries?: number;
  /** How long a token is taken for active, in milliseconds, and never past its end. Default: 60_000. */
  activeTtlMs?: number;
  /** How long it is taken for inactive. Default: 10_000. */
  inactiveTtlMs?: number;
}

export function cacheOf(options: IntrospectorOptions['cache'] = {}): Required<IntrospectionCacheOptions> | undefined {
  if (options === false) return undefined;
  assertObject('cache', options);
  assertKnownOptions('cache', options, ['maxEntries', 'activeTtlMs', 'inactiveTtlMs']);
  const { maxEntries = 10_000, activeTtlMs = 60_000, inactiveTtlMs = 10_000 } = options;
  assertInteger('cache.maxEntries', maxEntries, { min: 1 });
  assertDurationMs('cache.activeTtlMs', activeTtlMs);
  assertDurationMs('cache.inactiveTtlMs', inactiveTtlMs);
  return { maxEntries, activeTtlMs, inactiveTtlMs };
}
