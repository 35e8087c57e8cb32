import { createHash } from 'node:crypto';
import { OptionsError } from '@macadam/core';
import { isWellFormed } from './well-formed.ts';

/** Longer keys are kept as their digest: a key may be what a stranger sent, and the memory is ours. */
export const LONGEST_KEY = 1_024;
/** What digests begin with. A key that begins so by itself is digested too, so that it can never stand for another. */
const DIGEST_MARK = '\u0000';

/** The key as it is kept, bounded in length; different keys stay different. */
export function storageKey(key: string): string {
  return typeof key === 'string' && key.length <= LONGEST_KEY && key.charCodeAt(0) > 0 ? key : unusualKey(key);
}

/** Apart, so that what every look-up runs stays small enough to be compiled into its caller. */
function unusualKey(key: string): string {
  if (typeof key !== 'string' || key.length === 0) throw new OptionsError('key', key, 'a string that is not empty');
  return digestOf(key);
}

/** A stored key as the shared tier knows it: half of a surrogate pair is lost in UTF-8, where it would stand for any other half. */
export function tierKey(stored: string): string {
  return isWellFormed(stored) ? stored : digestOf(stored);
}

function digestOf(key: string): string {
  return `${DIGEST_MARK}${createHash('sha256').update(key, 'utf16le').digest('base64url')}`;
}

/** One key or several, as a list. */
export function keysOf(path: string, keys: string | Iterable<string>): string[] {
  if (typeof keys === 'string') return [storageKey(keys)];
  assertKeys(path, keys);
  return [...keys].map(storageKey);
}

/** Several keys, as they were written, each once. */
export function distinctKeys(path: string, keys: Iterable<string>): string[] {
  assertKeys(path, keys);
  return [...new Set(keys)];
}

/** A text can be iterated too: its characters are no keys. */
export function assertKeys(path: string, keys: unknown, method: symbol = Symbol.iterator): void {
  if (typeof keys !== 'object' || keys === null || !(method in keys)) {
    throw new OptionsError(path, keys, 'several keys, such as a list');
  }
}
