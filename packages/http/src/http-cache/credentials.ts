import type { AuthHeaders } from '../auth.ts';
import { mergeHeaders } from '../headers.ts';
import { CacheControl } from './cache-control.ts';
import { digest } from '../digest.ts';
import { requestField, responseField } from './fields.ts';
import { allowsAuthorized } from './storability.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/** Credentials of a request, as digests: a store must not hold what it could be robbed of. Empty without any. */
export interface Credentials {
  readonly authorization: string;
  readonly cookie: string;
}

/** Who asks, and how: what a stored response is chosen by. */
export interface Asker {
  /** Flat list of lower-case names and values, as they will be sent. */
  readonly headers: readonly string[];
  readonly credentials: Credentials;
}

/** @param added - what authorizes the request on its way; without `Authorization` in it, all of it says who that is */
export function askerOf(headers: readonly string[], added?: AuthHeaders): Asker {
  if (added === undefined) return { headers, credentials: credentialsOf(headers) };
  const all = mergeHeaders(headers, added, 'createHttpClient.auth.authorize()');
  const credentials = credentialsOf(all);
  if (Object.keys(added).some((name) => name.toLowerCase() === 'authorization')) return { headers: all, credentials };
  const whole = JSON.stringify([credentials.authorization, ...Object.entries(added).sort()]);
  return { headers: all, credentials: { ...credentials, authorization: digest(whole) } };
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
 * Whether what was stored for one caller may be given to another. What somebody got with credentials is given to the
 * same credentials only, unless a shared cache was told that it is for everybody. What was got without a cookie may
 * be given to a request with one, as RFC 9111 has it: it holds nothing of anybody.
 */
export function matchesCredentials(stored: StoredResponse, presented: Credentials, mode: CacheMode): boolean {
  if (mode === 'shared') {
    const control = new CacheControl(responseField(stored.headers, 'cache-control'));
    if (allowsAuthorized(control)) return true;
  }
  if (stored.authorization !== presented.authorization) return false;
  return stored.cookie === '' || stored.cookie === presented.cookie;
}
