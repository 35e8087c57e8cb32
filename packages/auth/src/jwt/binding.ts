// Proof of possession: a token with the confirmation claim `cnf` (RFC 7800) may only be used by the holder of a key.
//
// - `x5t#S256`: the client certificate of the TLS connection (RFC 8705), compared here.
// - `jkt`: a DPoP proof with each request (RFC 9449), verified by `createDpopVerifier` after the token.
// - Any other confirmation method has to be checked by the caller, who lists it in `confirms`.
//
// A token with a method that nobody checks is rejected: accepted as a bearer token, it would work for a thief.
import { hash, X509Certificate } from 'node:crypto';
import { OptionsError, withheld } from '@macadam/core';
import { TokenError } from '../errors.ts';
import type { VerifyTokenOptions } from './jwt-verifier.ts';
import { type JsonObject, own } from './strict-json.ts';

/** Confirmation method: the thumbprint of the key that signs DPoP proofs (RFC 9449 section 6.1). */
export const JWK_THUMBPRINT = 'jkt';
/** Confirmation method: the SHA-256 of a certificate (RFC 8705 section 3.1). */
const CERTIFICATE_THUMBPRINT = 'x5t#S256';
/** Confirmation methods that an error may name. Any other name is text from the token, which errors never contain. */
const REGISTERED_METHODS: readonly string[] = [JWK_THUMBPRINT, CERTIFICATE_THUMBPRINT, 'jwk', 'jwe', 'jku', 'kid'];

/** @throws TokenError `binding` unless each confirmation method of the token is satisfied here or checked by the caller. */
export function checkBinding(claims: JsonObject, options: VerifyTokenOptions, issuer: string | undefined): void {
  const confirmation = own(claims, 'cnf');
  if (confirmation === undefined) return;
  const { confirms = [] } = options;
  // `includes` of a string would match parts of a name.
  if (!Array.isArray(confirms)) throw new OptionsError('confirms', confirms, 'a list of members of cnf');
  const members = typeof confirmation === 'object' && confirmation !== null ? Object.entries(confirmation) : [];
  if (members.length === 0) throw new TokenError('binding', { claim: 'cnf', issuer });
  for (const [name, value] of members) {
    if (confirms.includes(name)) continue;
    if (name === CERTIFICATE_THUMBPRINT && isText(value) && value === certificateThumbprint(options.certificate))
      continue;
    throw new TokenError('binding', { claim: REGISTERED_METHODS.includes(name) ? `cnf.${name}` : 'cnf', issuer });
  }
}

function certificateThumbprint(certificate: VerifyTokenOptions['certificate']): string | undefined {
  if (certificate === undefined) return undefined;
  const der = certificate instanceof X509Certificate ? certificate.raw : certificate;
  if (der instanceof Uint8Array) return hash('sha256', der, 'base64url');
  throw new OptionsError('certificate', withheld(certificate), 'an X509Certificate, or its bytes in DER');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
