import { CacheControl } from './cache-control.ts';
import { digest } from './digest.ts';
import { requestField, responseField } from './fields.ts';
import { allowsAuthorized } from './storability.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/** Credentials of a request, as digests: a store must not hold what it could be robbed of. Empty without any. */
export interface Credentials {
  readonly authorization: string;
  readonly cookie: string;
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
