// The claims `htu` and `ath` of a DPoP proof, and the thumbprint of its key (RFC 9449 sections 4.2, 4.3 and 6.1).
import { hash } from 'node:crypto';
import { own } from '../jwt/strict-json.ts';
import type { JsonWebKey } from '../jwt/jwk.ts';

/**
 * `htu`: a URL without query and fragment, normalized by RFC 3986 section 6.2: scheme and host in lower case, no default
 * port, no dot segments, no unnecessary percent-encoding. `undefined` unless it is an http or https URL.
 */
export function normalizeUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') return undefined;
  const path = pathname.replaceAll(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code.toUpperCase();
  });
  return `${protocol}//${host}${path}`;
}

/** `ath`: the hash of the access token that is sent with the proof. */
export function accessTokenHash(token: string): string {
  return hash('sha256', token, 'base64url');
}

const REQUIRED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** `jkt`: the JWK thumbprint (RFC 7638). `undefined` for a key that lacks a required member, or has another type. */
export function jwkThumbprint(jwk: JsonWebKey): string | undefined {
  const names = REQUIRED_MEMBERS[String(own(jwk, 'kty'))];
  if (names === undefined || names.some((name) => typeof own(jwk, name) !== 'string')) return undefined;
  return hash('sha256', JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]]))), 'base64url');
}
