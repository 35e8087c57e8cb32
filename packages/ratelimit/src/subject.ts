import { createHash } from 'node:crypto';
import { assertText } from '@macadam/core';

/** Longer keys are replaced by their digest: a key is what a stranger sent, and memory is ours. */
const LONGEST_KEY = 256;

/** What a digest begins with. A key that begins so is replaced as well: nobody can write the digest of another's. */
const DIGEST = 'sha256:';
const S = DIGEST.charCodeAt(0);

/** The key as it is kept: never empty, and never long. */
export function keyOf(key: string): string {
  if (typeof key !== 'string' || key.length === 0) assertText('key', key);
  // The first letter alone tells of nearly all keys, and every decision comes through here.
  if (key.length <= LONGEST_KEY && (key.charCodeAt(0) !== S || !key.startsWith(DIGEST))) return key;
  // Each unit of the text counts, also half of a pair, which is the same as any other in UTF-8.
  return DIGEST + createHash('sha256').update(key, 'utf16le').digest('base64url');
}

/** Where a key stands between 0 and 1, the same in every process. */
export function shareOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() / 2 ** 32;
}

/** From so many characters on, a part of a text keeps the whole text in memory (V8). */
const SHORTEST_PART = 13;

/**
 * The same text with memory of its own, for who keeps a key: one that was cut out of a header field would keep all of that field, and so
 * would let a stranger decide how much is kept.
 */
export function ownText(text: string): string {
  if (text.length < SHORTEST_PART) return text;
  // Both encodings keep each unit of the text as it is, also halves of pairs.
  const encoding = /^[\u0000-\u00ff]*$/.test(text) ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}
