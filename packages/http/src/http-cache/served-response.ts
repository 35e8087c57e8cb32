/** Builds the responses that the cache serves, with `Age` (RFC 9111, section 5.1) and `Cache-Status` (RFC 9211). */
import type { ErrorSubject } from '../errors.ts';
import { HttpResponse } from '../response.ts';
import type { StoredFields } from './fields.ts';
import { contentRange, sliceOf } from './ranges.ts';
import type { Reuse } from './reuse.ts';
import type { StoredResponse } from './stored-response.ts';

export interface ServeOptions {
  readonly subject: ErrorSubject;
  readonly method: string;
  /** The name of the cache in `Cache-Status`. */
  readonly cacheName: string;
  /** The `Range` header of a GET. */
  readonly range: string | undefined;
}

/** The stored response, or the requested range of it. */
export function servedResponse(
  stored: StoredResponse,
  ageMs: number,
  cacheStatus: string,
  { subject, method, cacheName, range }: ServeOptions,
): HttpResponse {
  const headers = servedFields(stored, ageMs, `${cacheName}; ${cacheStatus}`);
  const slice = range === undefined ? undefined : sliceOf(stored, range);
  // A copy: a caller that changes the bytes must not change what is stored.
  const body = method === 'HEAD' ? undefined : new Uint8Array(slice?.bytes ?? stored.body);
  if (slice === undefined) return new HttpResponse(subject, stored.status, headers, body);
  headers['content-range'] = contentRange(slice);
  headers['content-length'] = String(slice.bytes.length);
  return new HttpResponse(subject, 206, headers, body);
}

/** The 304 for a conditional request of the caller (RFC 9110, section 15.4.5). */
export function notModifiedResponse(
  stored: StoredResponse,
  ageMs: number,
  cacheStatus: string,
  { subject, cacheName }: ServeOptions,
): HttpResponse {
  const headers = servedFields(stored, ageMs, `${cacheName}; ${cacheStatus}`);
  for (const name of ['content-encoding', 'content-length', 'content-range', 'content-type']) delete headers[name];
  return new HttpResponse(subject, 304, headers);
}

/**
 * The 504 for `only-if-cached` without a usable stored response (RFC 9111, section 5.2.1.7), and for an unreachable origin
 * when the stored response must be validated first (section 5.2.2.2).
 */
export function gatewayTimeoutResponse(
  { subject, cacheName }: ServeOptions,
  reason: 'stale' | 'uri-miss',
): HttpResponse {
  return new HttpResponse(subject, 504, { 'cache-status': `${cacheName}; fwd=${reason}` });
}

function servedFields(stored: StoredResponse, ageMs: number, cacheStatus: string): StoredFields {
  return { ...stored.headers, age: String(Math.floor(ageMs / 1_000)), 'cache-status': cacheStatus };
}

/** A cache name in `Cache-Status`: as a token if it is one, otherwise as a quoted string (RFC 9211, section 2). */
export function cacheStatusName(name: string): string {
  return /^[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*$/.test(name) ? name : `"${name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"`;
}

/** The `Cache-Status` parameter for how long a response remains fresh; negative when it is stale. */
export function ttlOf({ freshForMs }: Pick<Reuse, 'freshForMs'>): string {
  return `ttl=${Math.floor(freshForMs / 1_000)}`;
}
