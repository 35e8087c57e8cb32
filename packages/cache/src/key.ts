import { createHash } from 'node:crypto';
import { OptionsError } from '@macadam/core';
import { isWellFormed } from './well-formed.ts';

/** Longer keys are stored as their digest: keys may come from untrusted input, and memory must stay bounded. */
export const MAX_KEY_LENGTH = 1_024;
/** The prefix of digests. A key that itself starts with it is digested too, so that it cannot collide with a digest. */
const DIGEST_PREFIX = '\u0000';

/** The key under which an entry is stored, bounded in length. Different keys stay different. */
export function storageKey(key: string): string {
  return typeof key === 'string' && key.length <= MAX_KEY_LENGTH && key.charCodeAt(0) > 0 ? key : digestUnusualKey(key);
}

/** Separate, so that `storageKey`, which every lookup runs, stays small enough to be inlined. */
function digestUnusualKey(key: string): string {
  if (typeof key !== 'string' || key.length === 0) throw new OptionsError('key', key, 'a string that is not empty');
  return digest(key);
}

/**
 * The storage key in a form that UTF-8 can represent: lone surrogates are lost there, and different keys would become
 * one.
 */
export function tierKey(stored: string): string {
  return isWellFormed(stored) ? stored : digest(stored);
}

function digest(key: string): string {
  return `${DIGEST_PREFIX}${createHash('sha256').update(key, 'utf16le').digest('base64url')}`;
}

/** The storage keys of one key or several. */
export function storageKeys(path: string, keys: string | Iterable<string>): string[] {
  if (typeof keys === 'string') return [storageKey(keys)];
  assertKeys(path, keys);
  return [...keys].map(storageKey);
}

/** Several keys as the caller passed them, each once. */
export function distinctKeys(path: string, keys: Iterable<string>): string[] {
  assertKeys(path, keys);
  return [...new Set(keys)];
}

/** Rejects a string, which is iterable too: its characters are not keys. */
export function assertKeys(path: string, keys: unknown, method: symbol = Symbol.iterator): void {
  if (typeof keys !== 'object' || keys === null || !(method in keys)) {
    throw new OptionsError(path, keys, 'several keys, such as a list');
  }
}
