import { listMembers, parseDate, requestField, responseField, type StoredFields } from './fields.ts';
import type { StoredResponse } from './stored-response.ts';

/** Preconditions that only the origin can judge (RFC 9110, section 13.1), and parts, which are not kept. */
const FOR_THE_ORIGIN = ['if-match', 'if-unmodified-since', 'if-range'];

export function isForTheOrigin(headers: readonly string[]): boolean {
  return FOR_THE_ORIGIN.some((name) => requestField(headers, name) !== undefined);
}

/** Whether the caller asks on his own whether what he has is still good. */
export function isConditional(headers: readonly string[]): boolean {
  return (
    requestField(headers, 'if-none-match') !== undefined || requestField(headers, 'if-modified-since') !== undefined
  );
}

/**
 * Whether a conditional request is answered by 304, going by what is stored (RFC 9111, section 4.3.2). Not when that is no
 * success: then the condition is not looked at (RFC 9110, section 13.2.1).
 */
export function isNotModified(headers: readonly string[], stored: StoredResponse, now: number): boolean {
  if (stored.status < 200 || stored.status >= 300) return false;
  const tags = requestField(headers, 'if-none-match');
  const etag = responseField(stored.headers, 'etag');
  if (tags !== undefined) {
    if (tags.trim() === '*') return true;
    return etag !== undefined && listMembers(tags).some((tag) => opaque(tag) === opaque(etag));
  }
  const since = parseDate(requestField(headers, 'if-modified-since'), now);
  if (since === undefined) return false;
  const { headers: fields, receivedAtMs } = stored;
  const changed = responseField(fields, 'last-modified') ?? responseField(fields, 'date');
  return since >= (parseDate(changed, now) ?? receivedAtMs);
}

/** The headers that ask whether a stored response is still good; undefined when it has nothing to be known by. */
export function validatorHeaders(stored: StoredResponse): Record<string, string> | undefined {
  const etag = responseField(stored.headers, 'etag');
  const modified = responseField(stored.headers, 'last-modified');
  if (etag === undefined && modified === undefined) return undefined;
  return {
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(modified !== undefined && { 'if-modified-since': modified }),
  };
}

/**
 * Whether a 304 speaks of the stored response and not of another (RFC 9111, section 4.3.4).
 *
 * @param headers - those of the request it answers: without a tag it says no more than was asked, and a caller may have
 * asked about something that he alone has
 */
export function confirms(fields: Readonly<StoredFields>, stored: StoredResponse, headers: readonly string[]): boolean {
  const known = responseField(stored.headers, 'etag');
  const told = responseField(fields, 'etag') ?? requestField(headers, 'if-none-match');
  if (told !== undefined) return known !== undefined && opaque(known) === opaque(told);
  return requestField(headers, 'if-modified-since') === responseField(stored.headers, 'last-modified');
}

/** Whether an answer to HEAD describes what is stored for GET (RFC 9111, section 4.3.5). */
export function describesSame(fields: Readonly<StoredFields>, stored: StoredResponse): boolean {
  return ['etag', 'last-modified', 'content-length'].every((name) => {
    const told = responseField(fields, name);
    const known = responseField(stored.headers, name);
    return told === undefined || known === undefined || told === known;
  });
}

/** Tags are compared without their weakness when the question is only whether to send the body again. */
function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}
