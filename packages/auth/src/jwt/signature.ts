import { createHmac, type KeyObject, subtle, timingSafeEqual, type webcrypto } from 'node:crypto';
import { CompactSign } from 'jose';
import { TokenError } from '../errors.ts';
import type { CheckParameters } from './algorithms.ts';
import type { NamedKey } from './header-rules.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/** Whether a compact token that was read strictly is signed by one key, by one algorithm. */
export type SignatureCheck = (token: string) => boolean | Promise<boolean>;

/** On another thread: what is done with a public key takes long enough that others need not wait for it. */
export function publicKeyCheck(key: webcrypto.CryptoKey, parameters: CheckParameters): SignatureCheck {
  return async (token) => {
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    try {
      return await subtle.verify(parameters, key, signature, Buffer.from(token.slice(0, end), 'latin1'));
    } catch {
      // Bytes that the algorithm knows no signature of.
      return false;
    }
  };
}

/** At once: to go to another thread and back takes far longer than an HMAC of a token. */
export function secretCheck(key: KeyObject, hash: string): SignatureCheck {
  return (token) => {
    const end = token.lastIndexOf('.');
    const made = createHmac(hash, key).update(token.slice(0, end)).digest('base64url');
    // Texts stand for bytes here: what is not the one spelling of them was refused when the token was read.
    const [ours, theirs] = [Buffer.from(made), Buffer.from(token.slice(end + 1))];
    return ours.length === theirs.length && timingSafeEqual(ours, theirs);
  };
}

/**
 * Verifies a compact token with the key that its header names, which is given back: at once where the key is at hand and
 * nothing is to be waited for.
 * @throws TokenError `signature`, `keyUnknown` or `keysUnavailable`.
 */
export function verifyByName(
  token: string,
  named: NamedKey,
  keys: KeySource,
  issuer: string | undefined,
  signal: AbortSignal | undefined,
): VerificationKey | Promise<VerificationKey> {
  const { algorithm, kid } = named;
  const key = keys.peek(kid, algorithm);
  if (key === undefined) return findAndVerify(token, named, keys, issuer, signal);
  const verified = key.checks.get(algorithm)?.(token);
  if (verified instanceof Promise) return verifiedLater(verified, key, issuer);
  if (verified !== true) throw new TokenError('signature', { issuer });
  return key;
}

async function findAndVerify(
  token: string,
  { algorithm, kid }: NamedKey,
  keys: KeySource,
  issuer: string | undefined,
  signal: AbortSignal | undefined,
): Promise<VerificationKey> {
  const key = await keys.find(kid, algorithm, signal);
  if ((await key.checks.get(algorithm)?.(token)) !== true) throw new TokenError('signature', { issuer });
  return key;
}

async function verifiedLater(
  verified: Promise<boolean>,
  key: VerificationKey,
  issuer: string | undefined,
): Promise<VerificationKey> {
  if (!(await verified)) throw new TokenError('signature', { issuer });
  return key;
}

/** Signs a compact token with a key that is bound to the `alg` of the header. */
export function signCompact(
  header: { readonly alg: string } & Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: webcrypto.CryptoKey,
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(key);
}
