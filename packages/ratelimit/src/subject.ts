import { createHash } from 'node:crypto';
import { assertText } from '@macadam/core';

/** Longer keys are replaced by their digest: a key is what a stranger sent, and memory is ours. */
const LONGEST_KEY = 256;

/** The key as it is kept: never empty, and never much longer than that. */
export function keyOf(key: string): string {
  if (typeof key !== 'string' || key.length === 0) assertText('key', key);
  // To look at a letter of it could be a look at memory that is far away, and every decision comes through here.
  return key.length <= LONGEST_KEY ? key : digestOf(key);
}

/** Longer than a key that is kept as it is, so that nobody can write the digest of another's key. */
function digestOf(key: string): string {
  // Each unit of the text counts, also half of a pair, which is the same as any other in UTF-8.
  const digest = createHash('sha256').update(key, 'utf16le').digest('base64url');
  return `sha256:${digest}`.padEnd(LONGEST_KEY + 1, '.');
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
