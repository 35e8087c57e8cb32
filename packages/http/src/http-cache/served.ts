/** Answers made from what is stored. */
import type { ErrorSubject } from '../errors.ts';
import { HttpResponse } from '../response.ts';
import type { StoredFields } from './fields.ts';
import { contentRange, sliceOf } from './ranges.ts';
import type { Reuse } from './reuse.ts';
import type { StoredResponse } from './stored-response.ts';

export interface Serving {
  readonly subject: ErrorSubject;
  readonly method: string;
  /** The name of the cache in `Cache-Status`. */
  readonly cacheName: string;
  /** The `Range` header of a GET. */
  readonly range: string | undefined;
}

/** The stored answer, with its `Age` (RFC 9111, section 4) and `Cache-Status` (RFC 9211). */
export function storedAnswer(stored: StoredResponse, ageMs: number, how: string, serving: Serving): HttpResponse {
  const headers = servedFields(stored, ageMs, `${serving.cacheName}; ${how}`);
  const slice = serving.range === undefined ? undefined : sliceOf(stored, serving.range);
  // A copy: what one caller does with his bytes must not reach the next one.
  const body = serving.method === 'HEAD' ? undefined : new Uint8Array(slice?.bytes ?? stored.body);
  if (slice === undefined) return new HttpResponse(serving.subject, stored.status, headers, body);
  headers['content-range'] = contentRange(slice);
  headers['content-length'] = String(slice.bytes.length);
  return new HttpResponse(serving.subject, 206, headers, body);
}

/** Tells a conditional caller that what he has is still good. */
export function notModified(stored: StoredResponse, ageMs: number, serving: Serving): HttpResponse {
  const headers = servedFields(stored, ageMs, `${serving.cacheName}; hit`);
  for (const name of ['content-encoding', 'content-length', 'content-range', 'content-type']) delete headers[name];
  return new HttpResponse(serving.subject, 304, headers);
}

/**
 * What `only-if-cached` gets when there is nothing (RFC 9111, section 5.2.1.7), and who must not be given what is stale
 * when the origin cannot be reached (section 5.2.2.2).
 */
export function gatewayTimeout(serving: Serving, why: 'stale' | 'uri-miss'): HttpResponse {
  return new HttpResponse(serving.subject, 504, { 'cache-status': `${serving.cacheName}; fwd=${why}` });
}

function servedFields(stored: StoredResponse, ageMs: number, status: string): StoredFields {
  return { ...stored.headers, age: String(Math.floor(ageMs / 1_000)), 'cache-status': status };
}

/** A name as a token where it is one, else as a quoted string (RFC 9211, section 2). */
export function cacheStatusName(name: string): string {
  return /^[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*$/.test(name) ? name : `"${name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"`;
}

/** A hit, as `Cache-Status` tells it (RFC 9211). */
export function hitOf({ freshForMs }: Pick<Reuse, 'freshForMs'>): string {
  return `hit; ttl=${Math.floor(freshForMs / 1_000)}`;
}
