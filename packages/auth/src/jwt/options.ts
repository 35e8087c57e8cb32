import type { Clock, Random } from '@macadam/core';
import type { JwtAlgorithm } from './algorithms.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { JsonWebKeySet } from './key-rules.ts';
import type { Principal } from './principal.ts';
import type { JwtProfile } from './profiles.ts';

/** An issuer whose tokens are accepted, and which of them. */
export interface JwtIssuerOptions {
  /** What `iss` must be, letter for letter. For `spiffe-jwt-svid`, the trust domain: `spiffe://example.org`. */
  issuer: string;
  /** What `aud` must hold: you. One of them is enough. */
  audience: string | readonly string[];
  /** The algorithms that are accepted: what a token or a key says can narrow this, and never widen it. */
  algorithms: readonly JwtAlgorithm[];
  /** Where the keys are. `https`, except on loopback. Either this or `jwks`. */
  jwksUri?: string;
  /** The keys themselves. */
  jwks?: JsonWebKeySet;
  /** Default: `rfc9068`, access tokens. */
  profile?: JwtProfile;
  /** The `typ` that a `generic` token must have, such as `secevent+jwt`. Default: none, or `JWT`. */
  typ?: string;
  /** Refuse tokens issued longer ago than this, whatever their `exp`. Default: no limit. */
  maxTokenAgeMs?: number;
}

/** How long and how much a verifier remembers. */
export interface TokenCacheOptions {
  /** Tokens remembered at most. When there are as many, another one is when it comes for the second time. Default: 10_000. */
  maxEntries?: number;
  /** About how much memory they take at most, in bytes. Default: 16_777_216. */
  maxBytes?: number;
  /** How long a token is remembered before it is verified again. Default: 300_000. */
  maxAgeMs?: number;
}

/** What every verifier takes. */
export interface VerifierOptions {
  /** What its metrics are under. Default: the first issuer. */
  name?: string;
  /** How far the issuer's clock and ours may differ. Default: 10_000; at most 60_000. */
  clockToleranceMs?: number;
  /** The longest token that is looked at, in characters. Default: 8_192; at most 16_384. */
  maxTokenLength?: number;
  /** Tokens that passed are remembered; `false` verifies each anew. */
  cache?: TokenCacheOptions | false;
  /**
   * Asked for each token that passes everything else, cached or not. `true` refuses it (`revoked`); an error refuses it as
   * well (`revocationUnknown`). Answer synchronously where you can: a promise is waited for, for 5 seconds at most.
   */
  isRevoked?: (principal: Principal) => boolean | Promise<boolean>;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/** Options of {@link createJwtVerifier}. */
export interface JwtVerifierOptions extends VerifierOptions {
  /** At least one, each with its own name. */
  issuers: readonly JwtIssuerOptions[];
  /** What fetches the keys. Default: the global `fetch`. */
  fetch?: FetchLike;
  /** How the keys behind a `jwksUri` are fetched. */
  keyFetch?: KeyFetchOptions;
  /** Spreads refreshes. Default: the random source of the machine. */
  random?: Random;
}

/** How keys are fetched. When is up to the issuer's `Cache-Control`, between a minute and a day; else 10 minutes. */
export interface KeyFetchOptions {
  /** How long one fetch may take. Default: 5_000. */
  timeoutMs?: number;
  /** How long old keys are used while the issuer cannot be reached. Default: 86_400_000 (a day); at most three days. */
  staleIfErrorMs?: number;
  /**
   * How long after a token with an unknown key the next such token may cause a fetch. After six for the same key there is
   * none for its sake for half a minute, then for one, and so on up to five. Default: 10_000; at least 1_000.
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
