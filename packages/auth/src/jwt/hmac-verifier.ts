import { createSecretKey } from 'node:crypto';
import { assertKnownOptions, assertObject, assertOneOf, OptionsError } from '@macadam/core';
import { isPublished } from '../published-key.ts';
import { type HmacAlgorithm, HMACS } from './algorithms.ts';
import { isKid } from './key-rules.ts';
import { KeySet, type VerificationKey } from './key-set.ts';
import { StaticKeys } from './key-source.ts';
import { ISSUER_OPTIONS, type JwtIssuerOptions, VERIFIER_OPTIONS, type VerifierOptions } from './options.ts';
import { issuerRules, verifierSettings } from './settings.ts';
import type { JwtVerifier } from './jwt-verifier.ts';
import { Verifier } from './verifier.ts';

/** A secret that is shared with the issuer. */
export interface HmacSecret {
  /** Bytes from a random source, at least as many as the hash has: 32, 48 or 64. Texts are refused on purpose. */
  secret: Uint8Array;
  /** Which tokens it is for. Needed where there are several secrets, and where tokens have a `kid`. */
  kid?: string;
}

/** Options of {@link createHmacVerifier}: one issuer, one algorithm, and the secrets. */
export interface HmacVerifierOptions
  extends VerifierOptions, Omit<JwtIssuerOptions, 'algorithms' | 'jwks' | 'jwksUri'> {
  algorithm: HmacAlgorithm;
  /** More than one while secrets are rotated; then each has a `kid`. */
  secrets: readonly HmacSecret[];
}

/**
 * A verifier for tokens under a shared secret. Apart from {@link createJwtVerifier}, so that no token and no key set can
 * turn a public key into a secret. Whoever can verify such a token can also make one: prefer a public key.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a secret that is a text or shorter than the hash.
 */
export function createHmacVerifier(options: HmacVerifierOptions): JwtVerifier {
  assertObject('options', options);
  const issuerOptions = ISSUER_OPTIONS.filter((name) => !['algorithms', 'jwks', 'jwksUri'].includes(name));
  assertKnownOptions('', options, [...VERIFIER_OPTIONS, ...issuerOptions, 'algorithm', 'secrets']);
  const { algorithm, secrets } = options;
  assertOneOf('algorithm', algorithm, Object.keys(HMACS) as HmacAlgorithm[]);
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets', secrets, 'a list of { secret, kid } that is not empty');
  }
  const rules = { ...issuerRules('', options), algorithms: [algorithm] };
  const keys = secrets.map((one: HmacSecret, at) => readSecret(one, at, algorithm, secrets.length > 1));
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new OptionsError('secrets', secrets, 'a list in which each kid is named once');
  }
  return new Verifier(verifierSettings(options), [{ rules, keys: new StaticKeys(rules.issuer, new KeySet(keys)) }]);
}

function readSecret(given: HmacSecret, at: number, algorithm: HmacAlgorithm, named: boolean): VerificationKey {
  const path = `secrets[${at}]`;
  assertObject(path, given);
  assertKnownOptions(path, given, ['secret', 'kid']);
  const { secret, kid } = given;
  const { hash, bytes } = HMACS[algorithm];
  // The value stays out of the message.
  if (!(secret instanceof Uint8Array) || secret.byteLength < bytes) {
    throw new OptionsError(`${path}.secret`, undefined, `bytes (a Uint8Array), at least ${bytes} of them`);
  }
  if (isPublished(secret)) {
    throw new OptionsError(
      `${path}.secret`,
      undefined,
      'secret: these are the bytes of a public key, a PEM or a JSON text',
    );
  }
  if (kid === undefined ? named : !isKid(kid)) {
    throw new OptionsError(
      `${path}.kid`,
      kid,
      'a text of at most 256 characters, given where there are several secrets',
    );
  }
  const key = createSecretKey(secret).toCryptoKey({ name: 'HMAC', hash }, false, ['verify']);
  return { kid, handles: new Map([[algorithm, key]]), fingerprint: `${algorithm} ${at}` };
}
