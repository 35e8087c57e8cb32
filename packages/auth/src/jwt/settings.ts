import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  type Clock,
  OptionsError,
  systemClock,
  withheld,
} from '@macadam/core';
import { endpointUrl } from '../fetch/endpoint-url.ts';
import { ALGORITHMS, type JwtAlgorithm } from './algorithms.ts';
import { parseKeySet, KeySetError, type KeySet } from './key-set.ts';
import type { JsonWebKeySet } from './jwk.ts';
import {
  DEFAULT_CACHE,
  DEFAULT_CLOCK_TOLERANCE_MS,
  DEFAULT_KEY_FETCH,
  DEFAULT_TOKEN_LENGTH,
  ISSUER_OPTIONS,
  type JwtIssuerOptions,
  type KeyFetchOptions,
  MAX_CLOCK_TOLERANCE_MS,
  MAX_STALE_IF_ERROR_MS,
  MAX_TOKEN_LENGTH,
  type VerifierOptions,
} from './options.ts';
import type { Principal } from './principal.ts';
import { type JwtProfile, PROFILES } from './profiles.ts';
import { assertSvidAlgorithms } from './spiffe.ts';
import type { TokenCacheBounds } from './token-cache.ts';

/** The options of a verifier, validated and with defaults. */
export interface VerifierSettings {
  readonly name: string | undefined;
  readonly clockToleranceMs: number;
  readonly maxTokenLength: number;
  readonly cache: TokenCacheBounds | undefined;
  readonly isRevoked: ((principal: Principal) => boolean | Promise<boolean>) | undefined;
  readonly clock: Clock;
}

/** The rules for the tokens of one issuer, validated, without its keys. */
export interface IssuerRules {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly profile: JwtProfile;
  readonly typ: string | undefined;
  readonly maxTokenAgeMs: number | undefined;
}

export function verifierSettings(options: VerifierOptions): VerifierSettings {
  const { clockToleranceMs = DEFAULT_CLOCK_TOLERANCE_MS, maxTokenLength = DEFAULT_TOKEN_LENGTH, isRevoked } = options;
  assertDurationMs('clockToleranceMs', clockToleranceMs, { min: 0, max: MAX_CLOCK_TOLERANCE_MS });
  assertInteger('maxTokenLength', maxTokenLength, { min: 256, max: MAX_TOKEN_LENGTH });
  if (isRevoked !== undefined) assertFunction('isRevoked', isRevoked);
  const { clock = systemClock, name } = options;
  assertClock('clock', clock);
  if (name !== undefined) assertText('name', name);
  return { name, clockToleranceMs, maxTokenLength, cache: cacheBounds(options.cache), isRevoked, clock };
}

function cacheBounds(options: VerifierOptions['cache']): TokenCacheBounds | undefined {
  if (options === false) return undefined;
  const given = options === undefined ? {} : options;
  assertObject('cache', given);
  assertKnownOptions('cache', given, ['maxEntries', 'maxBytes', 'maxAgeMs']);
  const {
    maxEntries = DEFAULT_CACHE.maxEntries,
    maxBytes = DEFAULT_CACHE.maxBytes,
    maxAgeMs = DEFAULT_CACHE.maxAgeMs,
  } = given;
  assertInteger('cache.maxEntries', maxEntries, { min: 1 });
  assertInteger('cache.maxBytes', maxBytes, { min: 1 });
  assertDurationMs('cache.maxAgeMs', maxAgeMs);
  return { maxEntries, maxBytes, maxAgeMs, admitWhenFull: 'secondTime' };
}

/** Validates the options of an issuer that do not depend on the kind of key. */
export function issuerRules(
  path: string,
  options: Omit<JwtIssuerOptions, 'algorithms'>,
): Omit<IssuerRules, 'algorithms'> {
  const { issuer, audience, profile = 'rfc9068', typ, maxTokenAgeMs } = options;
  assertText(`${path}issuer`, issuer);
  const audiences = typeof audience === 'string' ? [audience] : audience;
  if (!Array.isArray(audiences) || audiences.length === 0) {
    throw new OptionsError(`${path}audience`, audience, 'a text, or a list of texts that is not empty');
  }
  for (const [index, one] of audiences.entries()) assertText(`${path}audience[${index}]`, one);
  assertOneOf(`${path}profile`, profile, Object.keys(PROFILES) as JwtProfile[]);
  if (typ !== undefined) {
    assertText(`${path}typ`, typ);
    if (profile !== 'generic') throw new OptionsError(`${path}typ`, typ, `left out: the profile ${profile} defines it`);
  }
  if (profile === 'spiffe-jwt-svid' && !/^spiffe:\/\/[a-z0-9._-]{1,255}$/.test(issuer)) {
    throw new OptionsError(`${path}issuer`, issuer, 'a trust domain, such as spiffe://example.org');
  }
  if (maxTokenAgeMs !== undefined) assertDurationMs(`${path}maxTokenAgeMs`, maxTokenAgeMs);
  return {
    issuer,
    audiences: Object.freeze([...audiences]) as readonly string[],
    profile,
    typ: typ?.toLowerCase().replace(/^application\//, ''),
    maxTokenAgeMs,
  };
}

/** An issuer that signs with a private key. */
export interface AsymmetricIssuer {
  readonly rules: IssuerRules;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly keys: KeySet | URL;
}

export function asymmetricIssuer(path: string, options: JwtIssuerOptions): AsymmetricIssuer {
  assertObject(path.slice(0, -1), options);
  assertKnownOptions(path.slice(0, -1), options, ISSUER_OPTIONS);
  const algorithms = allowedAlgorithms(`${path}algorithms`, options.algorithms);
  if (options.profile === 'spiffe-jwt-svid') assertSvidAlgorithms(`${path}algorithms`, algorithms);
  return {
    rules: { ...issuerRules(path, options), algorithms },
    algorithms,
    keys: localKeysOrUrl(path, options, algorithms),
  };
}

export function allowedAlgorithms(path: string, algorithms: readonly JwtAlgorithm[]): readonly JwtAlgorithm[] {
  const known = Object.keys(ALGORITHMS) as JwtAlgorithm[];
  if (!Array.isArray(algorithms) || algorithms.length === 0) {
    throw new OptionsError(path, algorithms, `a list of ${known.join(', ')}`);
  }
  for (const [index, one] of (algorithms as unknown[]).entries()) {
    const where = `${path}[${index}]`;
    if (typeof one === 'string' && /^HS\d+$/.test(one)) {
      throw new OptionsError(
        where,
        one,
        'asymmetric: shared secrets are for createHmacJwtVerifier and createHmacJwsVerifier',
      );
    }
    assertOneOf(where, one, known);
  }
  return Object.freeze([...new Set(algorithms)]) as readonly JwtAlgorithm[];
}

/** The key set of `jwks`, or the URL of `jwksUri`. */
export function localKeysOrUrl(
  path: string,
  { jwksUri, jwks }: Pick<JwtIssuerOptions, 'jwks' | 'jwksUri'>,
  algorithms: readonly JwtAlgorithm[],
): KeySet | URL {
  if ((jwksUri === undefined) === (jwks === undefined)) {
    throw new OptionsError(`${path}jwksUri`, jwksUri, 'given, or jwks instead, but not both');
  }
  return jwks === undefined ? endpointUrl(`${path}jwksUri`, jwksUri) : localKeys(`${path}jwks`, jwks, algorithms);
}

function localKeys(path: string, jwks: JsonWebKeySet, algorithms: readonly JwtAlgorithm[]): KeySet {
  let keys: KeySet;
  try {
    keys = parseKeySet(jwks, algorithms);
  } catch (error) {
    if (error instanceof KeySetError)
      throw new OptionsError(path, withheld(jwks), `a set of sound keys (${error.message})`);
    throw error;
  }
  if (keys.keys.length > 0) return keys;
  throw new OptionsError(path, jwks, `a set with a key for ${algorithms.join(' or ')}`);
}

export function keyFetchSettings(options: KeyFetchOptions = {}): Required<KeyFetchOptions> {
  assertObject('keyFetch', options);
  assertKnownOptions('keyFetch', options, Object.keys(DEFAULT_KEY_FETCH));
  const {
    timeoutMs = DEFAULT_KEY_FETCH.timeoutMs,
    staleIfErrorMs = DEFAULT_KEY_FETCH.staleIfErrorMs,
    unknownKeyCooldownMs = DEFAULT_KEY_FETCH.unknownKeyCooldownMs,
  } = options;
  assertDurationMs('keyFetch.timeoutMs', timeoutMs);
  assertDurationMs('keyFetch.staleIfErrorMs', staleIfErrorMs, { min: 0, max: MAX_STALE_IF_ERROR_MS });
  assertDurationMs('keyFetch.unknownKeyCooldownMs', unknownKeyCooldownMs, { min: 1_000 });
  return { timeoutMs, staleIfErrorMs, unknownKeyCooldownMs };
}
