import type { webcrypto } from 'node:crypto';
import { CompactSign, compactVerify, errors } from 'jose';
import { TokenError } from '../errors.ts';
import type { NamedKey } from './header-rules.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/**
 * Verifies the signature of a compact token with a key that is bound to `algorithm` already.
 * @throws TokenError `signature`.
 */
export async function verifySignature(
  token: string,
  key: webcrypto.CryptoKey,
  algorithm: string,
  issuer: string | undefined,
): Promise<void> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
  } catch (error) {
    throw refusalOf(error, issuer);
  }
}

/**
 * The same with the key that the header names, which it gives back.
 * @throws TokenError `signature`, `key_unknown` or `keys_unavailable`.
 */
export async function verifyByName(
  token: string,
  { algorithm, kid }: NamedKey,
  keys: KeySource,
  issuer: string | undefined,
  signal: AbortSignal | undefined,
): Promise<VerificationKey> {
  const key = keys.peek(kid, algorithm) ?? (await keys.find(kid, algorithm, signal));
  const handle = key.handles.get(algorithm);
  if (handle === undefined) throw new TokenError('key_unknown', { claim: 'alg', issuer });
  // The header's algorithm was allowed before, and its key works with no other: a list of one would say it a third time.
  // Nor by `verifySignature`: each promise between a token and its answer is paid for every time.
  try {
    await compactVerify(token, handle);
  } catch (error) {
    throw refusalOf(error, issuer);
  }
  return key;
}

function refusalOf(error: unknown, issuer: string | undefined): unknown {
  return error instanceof errors.JOSEError ? new TokenError('signature', { issuer }) : error;
}

/** Signs a compact token with a key that is bound to the `alg` of the header. */
export function signCompact(
  header: { readonly alg: string } & Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: webcrypto.CryptoKey,
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(key);
}
