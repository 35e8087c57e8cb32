// Strict reading of the JWS compact serialization (RFC 7515 section 7.1), before any cryptography.
//
// Lenient readers let one token have many texts (a space or padding inside base64url, unused bits that are not zero, a
// name given twice), which defeats caches, deny lists and whoever parsed it a moment earlier. Here a token has one text.
import { isUtf8 } from 'node:buffer';
import { TokenError } from '../errors.ts';
import { type JsonObject, readStrictObject } from './strict-json.ts';

/** The header of a token. Nothing of it is verified. */
export interface CompactHeader {
  /** As it is in the token, by which a {@link HeaderMemory} knows it again. */
  readonly encodedHeader: string;
  readonly header: JsonObject;
}

/** A token in its parts. */
export interface CompactParts extends CompactHeader {
  readonly encodedPayload: string;
}

/** What a JWT says about itself. Nothing of it is verified. */
export interface CompactToken extends CompactHeader {
  readonly payload: JsonObject;
}

/**
 * Headers that were read before. All tokens of a key have the same one, so that reading it anew is the greater part of
 * reading a token. What is kept comes from tokens whose signature was right: nobody else decides what is in here.
 */
export class HeaderMemory {
  readonly #headers = new Map<string, JsonObject>();

  get(encoded: string): JsonObject | undefined {
    return this.#headers.get(encoded);
  }

  /** Keeps the header of a token that was verified; when there are too many, all are forgotten, and soon read again. */
  keep({ encodedHeader, header }: CompactHeader): void {
    if (this.#headers.has(encodedHeader)) return;
    if (this.#headers.size >= MAX_HEADERS) this.#headers.clear();
    // Copied: a part of a text keeps the whole of it in memory (V8), and this one would keep a token.
    this.#headers.set(Buffer.from(encodedHeader).toString(), header);
  }
}

const MAX_HEADERS = 64;

/**
 * Reads all but the payload, which may be anything.
 * @throws TokenError `malformed` unless `token` is three parts, a strict JSON object the first and canonical the last.
 */
export function splitCompact(token: string, known?: HeaderMemory): CompactParts {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) throw new TokenError('malformed');
  const encodedHeader = token.slice(0, first);
  const header = known?.get(encodedHeader) ?? decodeObject(encodedHeader, 'header');
  if (decode(token.slice(second + 1), 'signature').length === 0)
    throw new TokenError('malformed', { claim: 'signature' });
  return { encodedHeader, header, encodedPayload: token.slice(first + 1, second) };
}

/** @throws TokenError `malformed` unless `token` is three canonical base64url parts, the first two strict JSON objects. */
export function parseCompact(token: string, known?: HeaderMemory): CompactToken {
  const { encodedHeader, header, encodedPayload } = splitCompact(token, known);
  return { encodedHeader, header, payload: decodeObject(encodedPayload, 'payload') };
}

/**
 * Base64url without padding that encodes to the same text again: one spelling for the same bytes.
 * @throws TokenError `malformed`.
 */
export function decode(text: string, part: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new TokenError('malformed', { claim: part });
  return bytes;
}

function decodeObject(text: string, part: string): JsonObject {
  const bytes = decode(text, part);
  const value = isUtf8(bytes) ? readStrictObject(bytes.toString()) : undefined;
  if (value === undefined) throw new TokenError('malformed', { claim: part });
  return value;
}
