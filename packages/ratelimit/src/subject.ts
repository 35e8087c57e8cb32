import { createHash } from 'node:crypto';
import { assertText } from '@macadam/core';

/** Longer keys are replaced by their digest: a key is what a stranger sent, and memory is ours. */
const LONGEST_KEY = 256;

/** The key as it is kept: never empty, and never long. */
export function keyOf(key: string): string {
  if (typeof key !== 'string' || key.length === 0) assertText('key', key);
  return key.length <= LONGEST_KEY ? key : `sha256:${createHash('sha256').update(key).digest('base64url')}`;
}

/** Where a key stands between 0 and 1, the same in every process. */
export function shareOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() / 2 ** 32;
}
