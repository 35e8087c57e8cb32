import type { webcrypto } from 'node:crypto';
import { CompactSign, compactVerify, errors } from 'jose';
import { TokenError } from '../errors.ts';

/**
 * Verifies the signature of a compact token with a key that is bound to `algorithm` already.
 * @throws TokenError `signature`.
 */
export async function verifySignature(
  token: string,
  key: webcrypto.CryptoKey,
  algorithm: string,
  issuer: string,
): Promise<void> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new TokenError('signature', { issuer });
  }
}

/** Signs a compact token with a key that is bound to the `alg` of the header. */
export function signCompact(
  header: { readonly alg: string } & Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: webcrypto.CryptoKey,
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(key);
}
