/**
 * Keys as limiters store them. Keys usually come from clients, so their length, and the memory that they keep alive, must
 * be bounded.
 */
import { createHash } from 'node:crypto';
import { assertText } from '@macadam/core';

/** Longer keys are replaced by their digest. */
const MAX_KEY_LENGTH = 256;

/** Returns the key to store: not empty, and at most one character longer than MAX_KEY_LENGTH. */
export function storedKey(key: string): string {
  if (typeof key !== 'string' || key.length === 0) assertText('key', key);
  // Every decision comes through here: checking the length does not touch the text, which may not be in the CPU cache.
  return key.length <= MAX_KEY_LENGTH ? key : digestOf(key);
}

/** Longer than any key that is stored as it is, so that no client can send the digest of somebody else's key. */
function digestOf(key: string): string {
  // Hashes UTF-16 code units: in UTF-8 all lone surrogates would be equal, and so would different keys.
  const digest = createHash('sha256').update(key, 'utf16le').digest('base64url');
  return `sha256:${digest}`.padEnd(MAX_KEY_LENGTH + 1, '.');
}

/** Maps a key to a number from 0 to 1, the same in every process. */
export function hashFraction(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() / 2 ** 32;
}

/** V8 makes substrings of at least this length slices, which keep the whole parent string in memory. */
const MIN_SLICED_LENGTH = 13;

/**
 * Copies a string that is going to be stored, such as a key. A key that was sliced out of a header field would otherwise
 * keep the whole field in memory, whose length a client chooses.
 */
export function detachedCopy(text: string): string {
  if (text.length < MIN_SLICED_LENGTH) return text;
  // Both encodings preserve every UTF-16 code unit, also lone surrogates.
  const encoding = /^[\u0000-\u00ff]*$/.test(text) ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}
