import { assertKnownOptions, assertObject, underPath } from '@macadam/core';
import type { HmacAlgorithm } from './algorithms.ts';
import { hmacKeySet, type HmacSecret } from './hmac-secrets.ts';
import type { JwtVerifier } from './jwt-verifier.ts';
import { StaticKeySource } from './key-source.ts';
import { instrumentedVerifier } from './instrumented-verifier.ts';
import { ISSUER_OPTIONS, type JwtIssuerOptions, VERIFIER_OPTIONS, type VerifierOptions } from './options.ts';
import { issuerRules, verifierSettings } from './settings.ts';
import { assertSvidAlgorithms } from './spiffe.ts';

/** Options of {@link createHmacJwtVerifier}: one issuer, one algorithm, and the secrets. */
export interface HmacJwtVerifierOptions
  extends VerifierOptions, Omit<JwtIssuerOptions, 'algorithms' | 'jwks' | 'jwksUri'> {
  /** The only accepted algorithm. A secret has at least as many bytes as its hash. */
  algorithm: HmacAlgorithm;
  /** The secrets. Several while they are rotated; then each has a `kid`. */
  secrets: readonly HmacSecret[];
}

/**
 * Creates a verifier of tokens that are signed with a shared secret. Separate from {@link createJwtVerifier}, so that
 * no token and no key set can turn a public key into a secret. Everyone who can verify such a token can also create
 * one: prefer public keys.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows a secret
 * @example
 * ```ts
 * import { createHmacJwtVerifier } from '@macadam/auth';
 * import { randomBytes } from 'node:crypto';
 *
 * const verifier = createHmacJwtVerifier({
 *   issuer: 'https://login.example.com',
 *   audience: 'orders',
 *   algorithm: 'HS256',
 *   secrets: [{ secret: randomBytes(32) }],
 * });
 * ```
 */
export function createHmacJwtVerifier(options: HmacJwtVerifierOptions): JwtVerifier {
  assertObject('createHmacJwtVerifier', options);
  return underPath('createHmacJwtVerifier', () => makeHmacJwtVerifier(options));
}

function makeHmacJwtVerifier(options: HmacJwtVerifierOptions): JwtVerifier {
  const issuerOptions = ISSUER_OPTIONS.filter((name) => !['algorithms', 'jwks', 'jwksUri'].includes(name));
  assertKnownOptions('', options, [...VERIFIER_OPTIONS, ...issuerOptions, 'algorithm', 'secrets']);
  const { algorithm, secrets } = options;
  const keys = hmacKeySet(algorithm, secrets);
  if (options.profile === 'spiffe-jwt-svid') assertSvidAlgorithms('algorithm', [algorithm]);
  const rules = { ...issuerRules('', options), algorithms: [algorithm] };
  return instrumentedVerifier(verifierSettings(options), [{ rules, keys: new StaticKeySource(rules.issuer, keys) }]);
}
