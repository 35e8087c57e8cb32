/** The tokens of a session that clients share. Contains secrets: encrypt it where others can read the store. */
export interface StoredTokens {
  /** The current refresh token. */
  readonly refreshToken: string;
  /** The last access tokens, for the clients that did not request them, by a hash of what was requested. */
  readonly accessTokens?: Readonly<Record<string, StoredAccessToken>>;
}

/** An access token of a session. */
export interface StoredAccessToken {
  /** The token. */
  readonly accessToken: string;
  /** When it was granted, in epoch milliseconds. */
  readonly grantedAtMs: number;
  /** How long it is valid from then on, in milliseconds. */
  readonly lifetimeMs: number;
}

/**
 * Where refresh tokens that change with each use are kept. Servers treat a second use as theft and end the session, so
 * only one process may use a token, and the others must find the next one.
 */
export interface TokenStore {
  /** Returns the tokens of a session; undefined when there are none. */
  load(key: string): Promise<StoredTokens | undefined>;
  /** Stores the tokens of a session. */
  save(key: string, tokens: StoredTokens): Promise<void>;
  /**
   * Runs `run` while no other process runs for this key. Rejects when it cannot get the lock. The lock must outlive the
   * request: longer than `timeoutMs` of the client.
   */
  withLock<T>(key: string, run: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/**
 * Creates a store in this process, for several clients of one session. They may request different scopes: one refresh token
 * serves all of them, and each gets an access token of its own.
 *
 * @example
 * ```ts
 * import { memoryTokenStore, refreshTokens } from '@macadam/auth';
 *
 * const session = {
 *   tokenUrl: 'https://login.example.com/token',
 *   clientId: 'orders',
 *   clientAuth: 'none',
 *   refreshToken: 'the refresh token of the session',
 *   store: memoryTokenStore(),
 * } as const;
 * const orders = refreshTokens({ ...session, scope: 'orders' });
 * const billing = refreshTokens({ ...session, scope: 'billing' });
 * ```
 */
export function memoryTokenStore(): TokenStore {
  const sessions = new Map<string, StoredTokens>();
  const lastRuns = new Map<string, Promise<unknown>>();
  return {
    load: (key) => Promise.resolve(sessions.get(key)),
    save: (key, tokens) => {
      sessions.set(key, tokens);
      return Promise.resolve();
    },
    withLock: (key, run) => {
      const previous = lastRuns.get(key) ?? Promise.resolve();
      const running = previous.then(run, run);
      const settled = running.catch(() => {});
      lastRuns.set(key, settled);
      void settled.then(() => {
        if (lastRuns.get(key) === settled) lastRuns.delete(key);
      });
      return running;
    },
  };
}
