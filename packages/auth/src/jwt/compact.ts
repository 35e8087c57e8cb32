// Strict parser of the JWS compact serialization (RFC 7515 section 7.1). It runs before any cryptography.
//
// A lenient parser accepts one token in many spellings (white space or padding inside base64url, unused bits that are not
// zero, duplicate member names). That defeats caches and deny lists, and two parsers can read different claims. Here each
// token has exactly one spelling.
import { isUtf8 } from 'node:buffer';
import { TokenError } from '../errors.ts';
import { type JsonObject, parseStrictObject } from './strict-json.ts';

/** The JOSE header of a token, before verification. */
export interface CompactHeader {
  /** The header as it is in the token: the key of the {@link HeaderCache}. */
  readonly encodedHeader: string;
  readonly header: JsonObject;
}

/** The parts of a JWS, before verification. The payload is not decoded: it may be anything. */
export interface CompactJws extends CompactHeader {
  readonly encodedPayload: string;
}

/** Header and claims of a JWT, before verification. */
export interface CompactJwt extends CompactHeader {
  readonly payload: JsonObject;
}

/**
 * Caches parsed headers. All tokens of a key have the same header, and parsing it is the greater part of parsing a token.
 * Only headers of tokens with a valid signature are added, so an attacker cannot fill the cache.
 */
export class HeaderCache {
  readonly #headers = new Map<string, JsonObject>();

  get(encoded: string): JsonObject | undefined {
    return this.#headers.get(encoded);
  }

  /** Adds the header of a token whose signature was verified. When the cache is full, it is cleared and fills up again. */
  add({ encodedHeader, header }: CompactHeader): void {
    if (this.#headers.has(encodedHeader)) return;
    if (this.#headers.size >= MAX_HEADERS) this.#headers.clear();
    // Copied, since in V8 a substring keeps the whole string in memory, and that is a token.
    this.#headers.set(Buffer.from(encodedHeader).toString(), header);
  }
}

const MAX_HEADERS = 64;

/**
 * Parses header and signature; the payload is left encoded.
 * @throws TokenError `malformed` unless `token` has three parts: a strict JSON object, the payload, and a canonical
 * signature.
 */
export function parseCompactJws(token: string, cache?: HeaderCache): CompactJws {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) throw new TokenError('malformed');
  const encodedHeader = token.slice(0, first);
  const header = cache?.get(encodedHeader) ?? decodeJsonObject(encodedHeader, 'header');
  if (decodeBase64url(token.slice(second + 1), 'signature').length === 0)
    throw new TokenError('malformed', { claim: 'signature' });
  return { encodedHeader, header, encodedPayload: token.slice(first + 1, second) };
}

/** @throws TokenError `malformed` unless `token` has three canonical base64url parts, the first two strict JSON objects. */
export function parseCompactJwt(token: string, cache?: HeaderCache): CompactJwt {
  const { encodedHeader, header, encodedPayload } = parseCompactJws(token, cache);
  return { encodedHeader, header, payload: decodeJsonObject(encodedPayload, 'payload') };
}

/**
 * Decodes canonical base64url without padding. Anything that does not encode to the same text again is rejected.
 * @throws TokenError `malformed`
 */
export function decodeBase64url(text: string, part: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new TokenError('malformed', { claim: part });
  return bytes;
}

function decodeJsonObject(text: string, part: string): JsonObject {
  const bytes = decodeBase64url(text, part);
  const value = isUtf8(bytes) ? parseStrictObject(bytes.toString()) : undefined;
  if (value === undefined) throw new TokenError('malformed', { claim: part });
  return value;
}
