import { hash, timingSafeEqual } from 'node:crypto';
import { assertOneOf } from '@macadam/core';
import { bytesOf } from './message.ts';
import { isInnerList, parseStrictDictionary } from './structured-fields.ts';

/** The algorithms of RFC 9530 that are secure; the others in its registry are marked as deprecated or insecure. */
const HASHES: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' };

/**
 * Returns the value of `Content-Digest` for a body (RFC 9530). `signRequest` adds it by itself.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for another algorithm, or a body that was parsed already.
 * @example
 * ```ts
 * import { contentDigest } from '@macadam/auth';
 *
 * console.log(contentDigest('{"hello": "world"}')); // sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
 * ```
 */
export function contentDigest(body: string | Uint8Array, algorithm: 'sha-256' | 'sha-512' = 'sha-256'): string {
  assertOneOf('algorithm', algorithm, ['sha-256', 'sha-512']);
  return `${algorithm}=:${hash(HASHES[algorithm]!, bytesOf(body), 'base64')}:`;
}

/**
 * Whether all digests with a supported algorithm match the content, and there is at least one. Other algorithms are
 * skipped.
 */
export function digestMatches(field: string, content: Buffer): boolean {
  let compared = 0;
  for (const [name, member] of parseStrictDictionary(field) ?? []) {
    const algorithm = Object.hasOwn(HASHES, name) ? HASHES[name] : undefined;
    if (algorithm === undefined) continue;
    if (isInnerList(member) || !(member[0] instanceof ArrayBuffer)) return false;
    const expected = hash(algorithm, content, 'buffer');
    if (member[0].byteLength !== expected.length || !timingSafeEqual(new Uint8Array(member[0]), expected)) return false;
    compared++;
  }
  return compared > 0;
}
