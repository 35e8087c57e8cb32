import { createSecretKey } from 'node:crypto';
import { assertKnownOptions, assertObject, assertOneOf, OptionsError, withheld } from '@macadam/core';
import { isPublished } from '../published-key.ts';
import { type HmacAlgorithm, HMACS } from './algorithms.ts';
import { isKid } from './key-rules.ts';
import { KeySet, type VerificationKey } from './key-set.ts';
import { secretCheck } from './signature.ts';

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

/** The secrets as keys that are bound to the algorithm. @throws OptionsError for one that is weak, or no secret. */
export function hmacKeys(algorithm: HmacAlgorithm, secrets: readonly HmacSecret[]): KeySet {
  assertOneOf('algorithm', algorithm, Object.keys(HMACS) as HmacAlgorithm[]);
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets', withheld(secrets), 'a list of { secret, kid } that is not empty');
  }
  const keys = secrets.map((one: HmacSecret, at) => readSecret(one, at, algorithm, secrets.length > 1));
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new OptionsError('secrets', withheld(secrets), 'a list in which each kid is named once');
  }
  return new KeySet(keys);
}

function readSecret(given: HmacSecret, at: number, algorithm: HmacAlgorithm, named: boolean): VerificationKey {
  const path = `secrets[${at}]`;
  assertObject(path, given);
  assertKnownOptions(path, given, ['secret', 'kid']);
  const { secret, kid } = given;
  const { hash, bytes } = HMACS[algorithm];
  if (!(secret instanceof Uint8Array) || secret.byteLength < bytes) {
    throw new OptionsError(`${path}.secret`, withheld(secret), `bytes (a Uint8Array), at least ${bytes} of them`);
  }
  if (isPublished(secret)) {
    throw new OptionsError(
      `${path}.secret`,
      withheld(secret),
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
  const check = secretCheck(createSecretKey(secret), hash);
  return { kid, checks: new Map([[algorithm, check]]), fingerprint: `${algorithm} ${at}` };
}
