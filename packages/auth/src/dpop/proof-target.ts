// What a proof is for (RFC 9449 section 4.3), in one spelling, and how its key is called.
import { hash } from 'node:crypto';
import { own } from '../jwt/strict-json.ts';
import type { JsonWebKey } from '../jwt/key-rules.ts';

/**
 * `htu`: an address without query and fragment, by RFC 3986 section 6.2: scheme and host in lower case, no default port,
 * no dot segments, and no more percent-encoding than needed. `undefined` for what is no address of the web.
 */
export function normalUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') return undefined;
  const path = pathname.replaceAll(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code.toUpperCase();
  });
  return `${protocol}//${host}${path}`;
}

/** `ath`: the token that the proof goes with. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64url');
}

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** `jkt`: the key's thumbprint (RFC 7638). `undefined` for a key that lacks a member, or of another kind. */
export function thumbprintOf(jwk: JsonWebKey): string | undefined {
  const names = REQUIRED[String(own(jwk, 'kty'))];
  if (names === undefined || names.some((name) => typeof own(jwk, name) !== 'string')) return undefined;
  return hash('sha256', JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]]))), 'base64url');
}
