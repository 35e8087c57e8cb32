/**
 * Validation (RFC 9111, section 4.3): the conditional requests that a cache sends and receives, and which stored response a
 * 304 or a response to HEAD is about.
 */
import { isHeaderText } from '../headers.ts';
import { listMembers, parseDate, requestField, responseField, type StoredFields } from './fields.ts';
import type { StoredResponse } from './stored-response.ts';

/** Preconditions that a cache does not evaluate (RFC 9111, section 4.3.2). A request with `If-Range` is only forwarded. */
const ORIGIN_ONLY_PRECONDITIONS = ['if-match', 'if-unmodified-since', 'if-range'];

export function hasOriginOnlyPrecondition(headers: readonly string[]): boolean {
  return ORIGIN_ONLY_PRECONDITIONS.some((name) => requestField(headers, name) !== undefined);
}

/** Whether the caller sends a conditional request of its own. */
export function isConditional(headers: readonly string[]): boolean {
  return (
    requestField(headers, 'if-none-match') !== undefined || requestField(headers, 'if-modified-since') !== undefined
  );
}

/**
 * Whether a stored response answers a conditional request with 304 (RFC 9111, section 4.3.2). Conditions are ignored unless
 * the response to the same request without them is a 2xx (RFC 9110, section 13.2.1).
 */
export function isNotModified(headers: readonly string[], stored: StoredResponse, now: number): boolean {
  if (stored.status < 200 || stored.status >= 300) return false;
  const tags = requestField(headers, 'if-none-match');
  const etag = responseField(stored.headers, 'etag');
  if (tags !== undefined) {
    if (tags.trim() === '*') return true;
    return etag !== undefined && listMembers(tags).some((tag) => isWeakMatch(tag, etag));
  }
  const since = parseDate(requestField(headers, 'if-modified-since'), now);
  if (since === undefined) return false;
  const { headers: fields, receivedAtMs } = stored;
  const modified = responseField(fields, 'last-modified') ?? responseField(fields, 'date');
  return since >= (parseDate(modified, now) ?? receivedAtMs);
}

export function hasValidator({ headers }: Pick<StoredResponse, 'headers'>): boolean {
  return Object.hasOwn(headers, 'etag') || Object.hasOwn(headers, 'last-modified');
}

/** The headers that validate a stored response (RFC 9111, section 4.3.1); undefined when it has no validator that can be sent. */
export function validationHeaders({ headers }: StoredResponse): Record<string, string> | undefined {
  const [etag, modified] = ['etag', 'last-modified'].map((name) => {
    const validator = responseField(headers, name);
    return validator !== undefined && isHeaderText(validator) ? validator : undefined;
  });
  if (etag === undefined && modified === undefined) return undefined;
  return {
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(modified !== undefined && { 'if-modified-since': modified }),
  };
}

/**
 * Whether a 304 is about the stored response and not about another one (RFC 9111, section 4.3.4). A 304 without an entity
 * tag is about what the request named, and that may be a version that only the caller has.
 *
 * @param fields - of the 304
 * @param headers - of the request that it answers
 */
export function isValidatedBy(
  stored: StoredResponse,
  fields: Readonly<StoredFields>,
  headers: readonly string[],
): boolean {
  const storedTag = responseField(stored.headers, 'etag');
  const validatedTag = responseField(fields, 'etag') ?? requestField(headers, 'if-none-match');
  if (validatedTag !== undefined) return storedTag !== undefined && isWeakMatch(storedTag, validatedTag);
  return requestField(headers, 'if-modified-since') === responseField(stored.headers, 'last-modified');
}

/**
 * Whether a 200 to HEAD describes the response stored for GET (RFC 9111, section 4.3.5). Stricter than that section, which
 * looks only at validators in the response to HEAD: a validator that one of the two lacks tells of a change, and added to an
 * old body it would validate that body for ever.
 */
export function isDescribedByHead(stored: StoredResponse, fields: Readonly<StoredFields>): boolean {
  const { status, headers, body } = stored;
  if (status !== 200) return false;
  const isSame = ['etag', 'last-modified'].every(
    (name) => responseField(fields, name) === responseField(headers, name),
  );
  // A decoded body has another length than the one on the wire.
  const isEncoded = responseField(headers, 'content-encoding') !== undefined;
  const length = responseField(headers, 'content-length') ?? (isEncoded ? undefined : String(body.length));
  const headLength = responseField(fields, 'content-length');
  return isSame && (headLength === undefined || length === undefined || headLength === length);
}

/** The weak comparison of entity tags (RFC 9110, section 8.8.3.2), which `If-None-Match` uses. */
function isWeakMatch(a: string, b: string): boolean {
  return opaqueTag(a) === opaqueTag(b);
}

function opaqueTag(tag: string): string {
  return tag.replace(/^W\//, '');
}
