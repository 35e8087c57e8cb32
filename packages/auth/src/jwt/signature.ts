import type { webcrypto } from 'node:crypto';
import { compactVerify, errors } from 'jose';
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
