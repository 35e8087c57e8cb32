import { createPrivateKey, KeyObject, type JsonWebKeyInput, type webcrypto } from 'node:crypto';
import { assertKnownOptions, assertObject, assertOneOf, OptionsError, withheld } from '@macadam/core';
import { ALGORITHMS, type JwtAlgorithm } from '../jwt/algorithms.ts';
import { isKid, type JsonWebKey } from '../jwt/jwk.ts';

/** A private key to sign with. */
export interface PrivateKeyOptions {
  /** The key: a `KeyObject` of `node:crypto`, a JWK, or PEM text. */
  key: KeyObject | JsonWebKey | string;
  /** The algorithm; the key must be of its kind. */
  algorithm: JwtAlgorithm;
  /** The key id in the header of what is signed. Default: none. */
  kid?: string;
}

/** A private key that is bound to its algorithm. */
export interface SigningKey {
  readonly algorithm: JwtAlgorithm;
  readonly kid: string | undefined;
  readonly cryptoKey: webcrypto.CryptoKey;
  readonly keyObject: KeyObject;
}

/** NIST SP 800-131A: shorter RSA keys are disallowed. */
const MIN_RSA_BITS = 2_048;

/** @throws OptionsError for a key that is public, weak, or not one for the algorithm; it does not contain the key */
export function parsePrivateKey(path: string, options: PrivateKeyOptions): SigningKey {
  assertObject(path, options);
  assertKnownOptions(path, options, ['key', 'algorithm', 'kid']);
  const { key, algorithm, kid } = options;
  assertOneOf(`${path}.algorithm`, algorithm, Object.keys(ALGORITHMS) as JwtAlgorithm[]);
  if (kid !== undefined && !isKid(kid)) throw new OptionsError(`${path}.kid`, kid, 'a text of at most 256 characters');
  const keyObject = parseKey(key);
  if (keyObject?.type !== 'private') {
    throw new OptionsError(`${path}.key`, withheld(key), 'a private key: a KeyObject, a JWK or PEM text');
  }
  const bits = keyObject.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS) {
    throw new OptionsError(`${path}.key`, withheld(key), `of at least ${MIN_RSA_BITS} bits`);
  }
  try {
    const cryptoKey = keyObject.toCryptoKey(ALGORITHMS[algorithm].importParameters as never, false, ['sign']);
    return { algorithm, kid, cryptoKey, keyObject };
  } catch {
    throw new OptionsError(`${path}.key`, withheld(key), `a key for ${algorithm}`);
  }
}

function parseKey(key: unknown): KeyObject | undefined {
  if (key instanceof KeyObject) return key;
  try {
    if (typeof key === 'string') return createPrivateKey(key);
    return createPrivateKey({ key, format: 'jwk' } as JsonWebKeyInput);
  } catch {
    return undefined;
  }
}
