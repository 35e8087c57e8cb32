// Tokens that are good only for who holds a key: `cnf` says which (RFC 7800). By a certificate (RFC 8705), which is looked
// at here; by a proof for each request (RFC 9449), which is verified after the token; or in some other way, which only the
// caller knows. What nobody has looked at is refused: whoever stole such a token would get in with it otherwise.
import { hash, X509Certificate } from 'node:crypto';
import { OptionsError, withheld } from '@macadam/core';
import { TokenError } from '../errors.ts';
import type { VerifyTokenOptions } from './jwt-verifier.ts';
import { type JsonObject, own } from './strict-json.ts';

/** The thumbprint of the key that proofs are made with (RFC 9449 section 6.1). */
export const DPOP_KEY = 'jkt';
/** The SHA-256 of a certificate (RFC 8705 section 3.1). */
const CERTIFICATE = 'x5t#S256';
/** Those that may be named in an error; any other text comes from the token. */
const KNOWN: readonly string[] = [DPOP_KEY, CERTIFICATE, 'jwk', 'jwe', 'jku', 'kid'];

/** @throws TokenError `binding` unless everything that binds the token was shown, or is looked at by the caller. */
export function checkBinding(claims: JsonObject, options: VerifyTokenOptions, issuer: string | undefined): void {
  const confirmation = own(claims, 'cnf');
  if (confirmation === undefined) return;
  const { confirms = [] } = options;
  // Text would be searched for parts of words.
  if (!Array.isArray(confirms)) throw new OptionsError('confirms', confirms, 'a list of members of cnf');
  const members = typeof confirmation === 'object' && confirmation !== null ? Object.entries(confirmation) : [];
  if (members.length === 0) throw new TokenError('binding', { claim: 'cnf', issuer });
  for (const [name, value] of members) {
    if (confirms.includes(name)) continue;
    if (name === CERTIFICATE && isText(value) && value === thumbprintOf(options.certificate)) continue;
    throw new TokenError('binding', { claim: KNOWN.includes(name) ? `cnf.${name}` : 'cnf', issuer });
  }
}

function thumbprintOf(certificate: VerifyTokenOptions['certificate']): string | undefined {
  if (certificate === undefined) return undefined;
  const der = certificate instanceof X509Certificate ? certificate.raw : certificate;
  if (der instanceof Uint8Array) return hash('sha256', der, 'base64url');
  throw new OptionsError('certificate', withheld(certificate), 'an X509Certificate, or its bytes in DER');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
