import { assertFunction, assertText, OptionsError, withheld } from '@macadam/core';

/** A request that is about to be sent, for a signer to look at. */
export interface AuthorizableRequest {
  readonly method: string;
  /** Whole, with path parameters and query filled in. */
  readonly url: string;
  /** By lower-case name; of a name given twice, the values are joined with a comma and a space. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it will be sent; undefined when there is none, or when it is a stream. */
  readonly body: string | Uint8Array | undefined;
}

/** The try that credentials are for. */
export interface AuthorizeContext {
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborts when this try is cancelled or out of time. */
  readonly signal: AbortSignal;
}

/** Headers that authorize a request, by name. */
export type AuthHeaders = Readonly<Record<string, string>>;

/** Where a client gets its credentials: `basic()`, `bearer()` of `@macadam/auth`, or a signer of your own. */
export interface HttpAuth {
  /**
   * Gives the headers for one request, laid over all others. Asked anew for every try and every redirect within the
   * origin, never for another origin. What it throws ends the call, unless it says it is `retryable`.
   */
  authorize(request: AuthorizableRequest, context: AuthorizeContext): AuthHeaders | Promise<AuthHeaders>;
  /**
   * Told that the server answered 401 to these headers; then the request is sent once more, with fresh ones. Without
   * this method a 401 is final.
   */
  invalidate?(rejected: AuthHeaders): Promise<void> | void;
  /**
   * Told of every answer to a request that it authorized, before anything is made of it: servers give nonces and the like
   * with any answer. What it throws is of no consequence.
   */
  received?(sent: AuthHeaders, answer: AuthorizedAnswer): void;
}

/** An answer to a request that was authorized, without its body. */
export interface AuthorizedAnswer {
  readonly status: number;
  /** Where the request went. */
  readonly origin: string;
  /** A header that was sent more than once counts as its first. */
  readonly headers: { get(name: string): string | undefined };
}

/**
 * A user and a password, as in RFC 7617. The text is sent as UTF-8. A 401 is final: there is no other password.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a user with a colon, or text with control characters.
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
  // The values are left out of the messages: this is where the secrets are.
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
