import { createHmac, type KeyObject, subtle, timingSafeEqual, type webcrypto } from 'node:crypto';
import { CompactSign } from 'jose';
import { TokenError } from '../errors.ts';
import type { NamedKey } from './header-rules.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/** Whether a compact token that was read strictly is signed by one key, by one algorithm. */
export type SignatureCheck = (token: string) => boolean | Promise<boolean>;

/** How long a salt is, by hash (RFC 7518 section 3.5: as long as the hash), and which hash goes with a curve (section 3.4). */
const SALT_BYTES: Readonly<Record<string, number>> = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };
const CURVE_HASHES: Readonly<Record<string, string>> = { 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' };

/** On another thread: what is done with a public key takes long enough that others need not wait for it. */
export function publicKeyCheck(key: webcrypto.CryptoKey): SignatureCheck {
  const parameters = parametersOf(key);
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

/** What a key of this kind is used with. It is bound to one algorithm, so there is no other. */
function parametersOf({ algorithm }: webcrypto.CryptoKey): { name: string; saltLength?: number; hash?: string } {
  const { name, hash, namedCurve } = algorithm as { name: string; hash?: { name: string }; namedCurve?: string };
  if (name === 'RSA-PSS') return { name, saltLength: SALT_BYTES[hash?.name as string] as number };
  return name === 'ECDSA' ? { name, hash: CURVE_HASHES[namedCurve as string] as string } : { name };
}

/** At once: to go to another thread and back takes ten times as long as an HMAC of a token. */
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
 * @throws TokenError `signature`, `key_unknown` or `keys_unavailable`.
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
