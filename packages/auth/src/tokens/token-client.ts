import { assertFunction, assertObject } from '@macadam/core';

/** Where tokens come from, for `bearer()` and `dpop()`: a {@link TokenClient}, or an object of your own. */
export interface TokenSource {
  /**
   * Returns a token that can be sent now.
   * @throws TokenRequestError (`MAC_TOKEN_REQUEST`), ClosedError (`MAC_CLOSED`), and the reason of the signal
   */
  getToken(options?: GetTokenOptions): Promise<string>;
  /** Returns a token that can be sent now, synchronously; `undefined` when one has to be obtained first. */
  peekToken(): string | undefined;
  /** Reports that a server rejected this token. Does nothing when it has been replaced already. */
  invalidate(token: string): void;
}

/** @throws OptionsError */
export function assertTokenSource(path: string, tokens: TokenSource): void {
  assertObject(path, tokens);
  for (const name of ['getToken', 'peekToken', 'invalidate'] as const) assertFunction(`${path}.${name}`, tokens[name]);
}

/** Options of one call of `getToken`. */
export interface GetTokenOptions {
  /** Stops waiting, and rejects with its reason; the request continues for other callers. Default: none. */
  signal?: AbortSignal | undefined;
}

/** What a {@link TokenClient} has counted. */
export interface TokenClientStats {
  /** Requests sent for a token. */
  readonly requests: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
  /** Age of the current token, in milliseconds; `undefined` when there is none. */
  readonly ageMs: number | undefined;
  /** Remaining lifetime of the current token, in milliseconds; `undefined` when there is none. */
  readonly expiresInMs: number | undefined;
  /** Tokens given up because a server rejected them. */
  readonly invalidations: number;
  /** Rejected tokens that were kept, because several new ones in a row had been rejected as well. */
  readonly invalidationsRefused: number;
  /** Responses whose `expires_in` was missing, not a number, or out of range. */
  readonly oddLifetimes: number;
}

/**
 * Obtains tokens and keeps one available. Created by `clientCredentials`, `jwtBearer`, `refreshTokens` and
 * `tokenExchange`.
 */
export interface TokenClient extends TokenSource, AsyncDisposable {
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): TokenClientStats;
  /**
   * Cancels the request in flight; one with a refresh token is completed instead, and awaited. A valid token is still
   * returned; getting a new one rejects with `MAC_CLOSED`.
   */
  close(): Promise<void>;
}
