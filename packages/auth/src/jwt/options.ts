import type { Clock, Random } from '@macadam/core';
import type { JwtAlgorithm } from './algorithms.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { JsonWebKeySet } from './jwk.ts';
import type { Principal } from './principal.ts';
import type { JwtProfile } from './profiles.ts';

/** An issuer whose tokens are accepted, and what they must look like. */
export interface JwtIssuerOptions {
  /** Required value of `iss`, compared exactly. For `spiffe-jwt-svid` the trust domain: `spiffe://example.org`. */
  issuer: string;
  /** Your audience: `aud` must contain one of these. */
  audience: string | readonly string[];
  /** Accepted algorithms. A token or key can narrow them, and never extend them. */
  algorithms: readonly JwtAlgorithm[];
  /**
   * URL of the key set (JWKS). `https`, except on loopback. Exactly one of `jwksUri` and `jwks` is required. Default:
   * none.
   */
  jwksUri?: string;
  /** The key set itself, instead of `jwksUri`. Default: none. */
  jwks?: JsonWebKeySet;
  /** Kind of the tokens. Default: `rfc9068`, access tokens. */
  profile?: JwtProfile;
  /** Required `typ` of a `generic` token, such as `secevent+jwt`. Default: none, or `JWT`. */
  typ?: string;
  /** Rejects tokens that were issued longer ago than this, in milliseconds, whatever their `exp`. Default: no limit. */
  maxTokenAgeMs?: number;
}

/** Limits of the cache of verified tokens. */
export interface TokenCacheOptions {
  /**
   * Maximum number of tokens. When it is full, a new token is cached when it comes for the second time. Default:
   * 10_000.
   */
  maxEntries?: number;
  /** Approximate maximum size, in bytes. Default: 16_777_216 (16 MiB). */
  maxBytes?: number;
  /** How long a token is cached before it is verified again, in milliseconds. Default: 300_000. */
  maxAgeMs?: number;
}

/** Options of every verifier of JWTs. */
export interface VerifierOptions {
  /** Name in metrics. Default: the first issuer. */
  name?: string;
  /** Tolerated difference of clocks, in milliseconds, 0 to 60_000. Default: 10_000. */
  clockToleranceMs?: number;
  /** Maximum length of a token, in characters, at most 16_384. Default: 8_192. */
  maxTokenLength?: number;
  /** Caches verified tokens; `false` verifies each time. Default: the defaults of {@link TokenCacheOptions}. */
  cache?: TokenCacheOptions | false;
  /**
   * Called for each token that is valid otherwise, cached or not. `true` rejects it (`revoked`), and so does an error
   * (`revocationUnknown`). Return synchronously where you can; a promise has to settle within 5 seconds. Default: none.
   */
  isRevoked?: (principal: Principal) => boolean | Promise<boolean>;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Options of {@link createJwtVerifier}. */
export interface JwtVerifierOptions extends VerifierOptions {
  /** The accepted issuers, at least one, with different names. */
  issuers: readonly JwtIssuerOptions[];
  /** Fetches the keys. Default: the global `fetch`. */
  fetch?: FetchLike;
  /** How the keys of a `jwksUri` are fetched. Default: the defaults of {@link KeyFetchOptions}. */
  keyFetch?: KeyFetchOptions;
  /** Source of randomness, for the times of refreshes. Default: `Math.random`. */
  random?: Random;
}

/**
 * How keys are fetched. They are refreshed by the `Cache-Control` of the issuer, after a minute at the earliest and a
 * day at the latest; without one after 10 minutes.
 */
export interface KeyFetchOptions {
  /** Time limit of one fetch, in milliseconds. Default: 5_000. */
  timeoutMs?: number;
  /**
   * How long old keys are used while the issuer cannot be reached, in milliseconds, at most three days. Default:
   * 86_400_000 (a day).
   */
  staleIfErrorMs?: number;
  /**
   * Minimum time between two fetches that are caused by tokens with an unknown key, in milliseconds, at least 1_000.
   * After six fetches for the same key, further ones wait half a minute, then a minute, and so on up to five. Default:
   * 10_000.
   */
  unknownKeyCooldownMs?: number;
}

export const VERIFIER_OPTIONS: readonly string[] = [
  'name',
  'clockToleranceMs',
  'maxTokenLength',
  'cache',
  'isRevoked',
  'clock',
];
export const JWT_VERIFIER_OPTIONS: readonly string[] = [...VERIFIER_OPTIONS, 'issuers', 'fetch', 'keyFetch', 'random'];
export const ISSUER_OPTIONS: readonly string[] = [
  'issuer',
  'audience',
  'algorithms',
  'jwksUri',
  'jwks',
  'profile',
  'typ',
  'maxTokenAgeMs',
];

export const DEFAULT_CLOCK_TOLERANCE_MS = 10_000;
export const MAX_CLOCK_TOLERANCE_MS = 60_000;
export const DEFAULT_TOKEN_LENGTH = 8_192;
export const MAX_TOKEN_LENGTH = 16_384;
export const DEFAULT_CACHE = { maxEntries: 10_000, maxBytes: 16_777_216, maxAgeMs: 300_000 } as const;
export const DEFAULT_KEY_FETCH = {
  timeoutMs: 5_000,
  staleIfErrorMs: 86_400_000,
  unknownKeyCooldownMs: 10_000,
} as const;
export const MAX_STALE_IF_ERROR_MS = 259_200_000;
