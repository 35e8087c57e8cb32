import type { AuthHeaders } from '../auth.ts';
import { digest } from '../digest.ts';
import { mergeHeaders } from '../headers.ts';
import { CacheControl } from './cache-control.ts';
import { requestField, responseField } from './fields.ts';
import { allowsAuthorized } from './storability.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/** The credentials of a request, as digests, so that a store never holds them. Empty strings stand for none. */
export interface Credentials {
  readonly authorization: string;
  readonly cookie: string;
}

/** What a request presents to be matched with stored responses (RFC 9111, section 4). */
export interface PresentedRequest {
  /** Flat list of lower-case names and values, as they will be sent: with the priority, and with what `auth` adds. */
  readonly headers: readonly string[];
  readonly credentials: Credentials;
}

/**
 * @param added - the headers that `auth` adds. In a private cache, and without `Authorization` among them, all of them
 * together count as the credentials: any of them may be an API key. A shared cache stores only what everybody may get,
 * whatever credentials are added, but `Vary` may select by them.
 */
export function presentedRequest(headers: readonly string[], mode: CacheMode, added?: AuthHeaders): PresentedRequest {
  if (added === undefined) return { headers, credentials: credentialsOf(headers) };
  const all = mergeHeaders(headers, added, 'createHttpClient.auth.authorize()');
  if (mode === 'shared') return { headers: all, credentials: credentialsOf(headers) };
  const credentials = credentialsOf(all);
  if (Object.keys(added).some((name) => name.toLowerCase() === 'authorization')) return { headers: all, credentials };
  const combined = JSON.stringify([credentials.authorization, ...Object.entries(added).sort()]);
  return { headers: all, credentials: { ...credentials, authorization: digest(combined) } };
}

export function credentialsOf(headers: readonly string[]): Credentials {
  return {
    authorization: digestOf(requestField(headers, 'authorization')),
    cookie: digestOf(requestField(headers, 'cookie')),
  };
}

function digestOf(value: string | undefined): string {
  return value === undefined ? '' : digest(value);
}

/**
 * Whether the response to one caller may be served to another. A response to a request with credentials is served only to
 * the same credentials, unless a shared cache may serve it to everybody (RFC 9111, section 3.5). A response to a request
 * without a cookie is served to requests with one, too: RFC 9111 does not select by cookies.
 */
export function matchesCredentials(stored: StoredResponse, presented: Credentials, mode: CacheMode): boolean {
  if (mode === 'shared') {
    const control = new CacheControl(responseField(stored.headers, 'cache-control'));
    if (allowsAuthorized(control)) return true;
  }
  if (stored.authorization !== presented.authorization) return false;
  return stored.cookie === '' || stored.cookie === presented.cookie;
}
