import { assertFunction, assertText, OptionsError, withheld } from '@macadam/core';

/** A request about to be sent, as an `authorize` hook sees it: what a signature is computed over. */
export interface AuthorizableRequest {
  /** The request method. */
  readonly method: string;
  /** The complete URL, with path parameters and query filled in. */
  readonly url: string;
  /** The request headers by lower-case name; repeated ones are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it will be sent; undefined if there is none, or if it is a stream. */
  readonly body: string | Uint8Array | undefined;
}

/** The attempt that an `authorize` hook provides credentials for. */
export interface AuthorizeContext {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** Aborts when this attempt is cancelled or exceeds its time limit. */
  readonly signal: AbortSignal;
}

/** The headers that authorize a request, by name. */
export type AuthHeaders = Readonly<Record<string, string>>;

/** Provides the credentials of a client: `basic()`, `bearer()` of `@macadam/auth`, or an implementation of your own. */
export interface HttpAuth {
  /**
   * Returns the headers that authorize one request; they replace others of the same name. Called for each attempt and for each
   * redirect within the origin, never for another origin. An error it throws ends the call, unless the error is `retryable` and
   * the request may be sent twice.
   */
  authorize(request: AuthorizableRequest, context: AuthorizeContext): AuthHeaders | Promise<AuthHeaders>;
  /**
   * Called when the server answered 401 to these headers. The request is then sent once more with new ones from `authorize`.
   * Without this method a 401 is final.
   */
  invalidate?(rejected: AuthHeaders): Promise<void> | void;
  /**
   * Called with each response to a request that it authorized, before the response is processed; some servers send nonces
   * with any response. Errors it throws are ignored.
   */
  received?(sent: AuthHeaders, response: AuthorizedResponse): void;
}

/** The head of a response to an authorized request. */
export interface AuthorizedResponse {
  /** The status of the response. */
  readonly status: number;
  /** The origin the request was sent to. */
  readonly origin: string;
  /** The response headers by name, in any case; repeated ones are joined with `, `. */
  readonly headers: { get(name: string): string | undefined };
}

/**
 * Authorizes requests with HTTP Basic authentication (RFC 7617), encoded as UTF-8. A 401 is final, since there is no other password
 * to try.
 *
 * @param user - the user name, without colon and control characters
 * @param password - the password, without control characters
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a user or password that cannot be sent; it does not show their values.
 * @example
 * ```ts
 * import { basic, createHttpClient } from '@macadam/http';
 *
 * const client = createHttpClient({ baseUrl: 'https://api.example.com', auth: basic('reader', 'a password') });
 * await client.close();
 * ```
 */
export function basic(user: string, password: string): HttpAuth {
  assertText('basic.user', user);
  // The messages do not show the values, which are secrets.
  if (/[:\p{Cc}]/u.test(user))
    throw new OptionsError('basic.user', withheld(user), 'text without colon and control characters');
  if (typeof password !== 'string' || /\p{Cc}/u.test(password)) {
    throw new OptionsError('basic.password', withheld(password), 'text without control characters');
  }
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return { authorize: () => ({ authorization }) };
}

/** Checks the `auth` option of a client. */
export function checkedAuth(auth: HttpAuth | undefined): HttpAuth | undefined {
  if (auth === undefined) return undefined;
  if (typeof auth?.authorize !== 'function') {
    throw new OptionsError('auth', withheld(auth), 'an object with authorize()');
  }
  if (auth.invalidate !== undefined) assertFunction('auth.invalidate', auth.invalidate);
  if (auth.received !== undefined) assertFunction('auth.received', auth.received);
  return auth;
}
