import { createSecretKey } from 'node:crypto';
import { assertKnownOptions, assertObject, assertOneOf, OptionsError, withheld } from '@macadam/core';
import { isPublicKeyMaterial } from '../public-key-material.ts';
import { type HmacAlgorithm, HMAC_ALGORITHMS } from './algorithms.ts';
import { isKid } from './jwk.ts';
import { KeySet, type VerificationKey } from './key-set.ts';
import { hmacCheck } from './signature.ts';

/** A secret that is shared with the issuer. */
export interface HmacSecret {
  /** Random bytes, at least as many as the hash has: 32, 48 or 64. Strings are rejected on purpose. */
  secret: Uint8Array;
  /**
   * The `kid` of the tokens it is for. Required when there are several secrets, and when tokens have a `kid`. Default:
   * none.
   */
  kid?: string;
}

/**
 * Creates a key set of the secrets, each bound to the algorithm.
 * @throws OptionsError for a secret that is too short, or the bytes of a public key
 */
export function hmacKeySet(algorithm: HmacAlgorithm, secrets: readonly HmacSecret[]): KeySet {
  assertOneOf('algorithm', algorithm, Object.keys(HMAC_ALGORITHMS) as HmacAlgorithm[]);
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets', withheld(secrets), 'a list of { secret, kid } that is not empty');
  }
  const keys = secrets.map((one: HmacSecret, index) => createHmacKey(one, index, algorithm, secrets.length > 1));
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new OptionsError('secrets', withheld(secrets), 'a list in which each kid is unique');
  }
  return new KeySet(keys);
}

function createHmacKey(
  option: HmacSecret,
  index: number,
  algorithm: HmacAlgorithm,
  kidRequired: boolean,
): VerificationKey {
  const path = `secrets[${index}]`;
  assertObject(path, option);
  assertKnownOptions(path, option, ['secret', 'kid']);
  const { secret, kid } = option;
  const { hash, bytes } = HMAC_ALGORITHMS[algorithm];
  if (!(secret instanceof Uint8Array) || secret.byteLength < bytes) {
    throw new OptionsError(`${path}.secret`, withheld(secret), `bytes (a Uint8Array), at least ${bytes} of them`);
  }
  if (isPublicKeyMaterial(secret)) {
    throw new OptionsError(
      `${path}.secret`,
      withheld(secret),
      'a random secret: these are the bytes of a public key, a certificate or a JSON document',
    );
  }
  if (kid === undefined ? kidRequired : !isKid(kid)) {
    throw new OptionsError(
      `${path}.kid`,
      kid,
      'a text of at most 256 characters, given where there are several secrets',
    );
  }
  const check = hmacCheck(createSecretKey(secret), hash);
  return { kid, checks: new Map([[algorithm, check]]), fingerprint: `${algorithm} ${index}` };
}
