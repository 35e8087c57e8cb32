// Verifies and signs compact JWS (RFC 7515). The only file that imports jose.
import { createHmac, type KeyObject, subtle, timingSafeEqual, type webcrypto } from 'node:crypto';
import { CompactSign } from 'jose';
import { TokenError } from '../errors.ts';
import type { VerifyParameters } from './algorithms.ts';
import type { KeyReference } from './jose-header.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/** Verifies the signature of a compact JWS, which was parsed strictly before, with one key and one algorithm. */
export type SignatureCheck = (token: string) => boolean | Promise<boolean>;

/** Asynchronous, on the thread pool: public-key operations are slow enough to delay other requests. */
export function publicKeyCheck(key: webcrypto.CryptoKey, parameters: VerifyParameters): SignatureCheck {
  return async (token) => {
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    try {
      return await subtle.verify(parameters, key, signature, Buffer.from(token.slice(0, end), 'latin1'));
    } catch {
      // The bytes do not have the form of a signature of this algorithm.
      return false;
    }
  };
}

/** Synchronous: a round trip to the thread pool takes far longer than the HMAC of a token. */
export function hmacCheck(key: KeyObject, hash: string): SignatureCheck {
  return (token) => {
    const end = token.lastIndexOf('.');
    const expected = createHmac(hash, key).update(token.slice(0, end)).digest('base64url');
    // Compared as base64url text: the parser accepts only the canonical encoding, so equal bytes have equal text.
    const [a, b] = [Buffer.from(expected), Buffer.from(token.slice(end + 1))];
    return a.length === b.length && timingSafeEqual(a, b);
  };
}

/**
 * Verifies a compact JWS with the key that its header refers to, and returns the key. Synchronous when the key is in the
 * current key set and its check is synchronous.
 * @throws TokenError `signature`, `keyUnknown` or `keysUnavailable`.
 */
export function verifySignature(
  token: string,
  reference: KeyReference,
  keys: KeySource,
  issuer: string | undefined,
  signal: AbortSignal | undefined,
): VerificationKey | Promise<VerificationKey> {
  const { algorithm, kid } = reference;
  const key = keys.peek(kid, algorithm);
  if (key === undefined) return findAndVerify(token, reference, keys, issuer, signal);
  const verified = key.checks.get(algorithm)?.(token);
  if (verified instanceof Promise) return awaitVerification(verified, key, issuer);
  if (verified !== true) throw new TokenError('signature', { issuer });
  return key;
}

async function findAndVerify(
  token: string,
  { algorithm, kid }: KeyReference,
  keys: KeySource,
  issuer: string | undefined,
  signal: AbortSignal | undefined,
): Promise<VerificationKey> {
  const key = await keys.find(kid, algorithm, signal);
  if ((await key.checks.get(algorithm)?.(token)) !== true) throw new TokenError('signature', { issuer });
  return key;
}

async function awaitVerification(
  verified: Promise<boolean>,
  key: VerificationKey,
  issuer: string | undefined,
): Promise<VerificationKey> {
  if (!(await verified)) throw new TokenError('signature', { issuer });
  return key;
}

/** Signs a compact JWS with a key that is bound to the `alg` of the header. */
export function signCompact(
  header: { readonly alg: string } & Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: webcrypto.CryptoKey,
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(key);
}
