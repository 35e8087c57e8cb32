/** Where tokens come from, for `bearer()` and `dpop()`: a {@link TokenClient}, or an object of your own. */
export interface TokenSource {
  /** A token that may be sent now. @throws TokenRequestError (`MAC_TOKEN_REQUEST`), or the reason of `signal`. */
  getToken(options?: GetTokenOptions): Promise<string>;
  /** The same without waiting; `undefined` when a token has to be got first. */
  peekToken(): string | undefined;
  /** Told that a server did not accept this token. Does nothing when another has taken its place. */
  invalidate(token: string): void;
}

/** Options of one wait for a token. */
export interface GetTokenOptions {
  /** Stops this wait. The request goes on for the others who wait for it. */
  signal?: AbortSignal | undefined;
}

/** Numbers of a {@link TokenClient}. */
export interface TokenClientStats {
  /** Requests that were sent for a token. */
  readonly requests: number;
  readonly failures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
  /** Milliseconds since the token in hand was asked for; `undefined` when there is none. */
  readonly ageMs: number | undefined;
  /** Milliseconds it is said to live from now on. */
  readonly expiresInMs: number | undefined;
  /** Tokens given up because a server did not accept them. */
  readonly invalidations: number;
  /** The same, but kept: several in a row were refused just before, so another would be, too. */
  readonly invalidationsRefused: number;
  /** Answers whose `expires_in` was missing, not a number, or out of every reason. */
  readonly oddLifetimes: number;
}

/** Gets tokens and keeps one at hand. Made by `clientCredentials` and its like. */
export interface TokenClient extends TokenSource, AsyncDisposable {
  /** What it asks for and how, in words. */
  describe(): string;
  stats(): TokenClientStats;
  /** Cancels what is going on. A token at hand is still given out. */
  close(): Promise<void>;
}
