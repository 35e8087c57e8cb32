/** What is kept of a session between processes. Holds secrets: encrypt it where others can read the store. */
export interface StoredTokens {
  readonly refreshToken: string;
  /** The last token that was granted, for the processes that did not ask for it. */
  readonly accessToken?: string;
  /** When it was granted, in epoch milliseconds. */
  readonly grantedAtMs?: number;
  readonly lifetimeMs?: number;
}

/**
 * Where refresh tokens are kept that change with each use. Servers take the second use of one for theft and end the
 * session, so that only one process may use it, and the others must find the next one.
 */
export interface TokenStore {
  load(key: string): Promise<StoredTokens | undefined>;
  save(key: string, tokens: StoredTokens): Promise<void>;
  /**
   * Runs `run` while nobody else, in any process, runs for this key. Rejects when it cannot get the lock. The lock must
   * outlive the request: longer than the client's `timeoutMs`.
   */
  withLock<T>(key: string, run: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** A store within this process, for several clients of one session. */
export function memoryTokenStore(): TokenStore {
  const kept = new Map<string, StoredTokens>();
  const last = new Map<string, Promise<unknown>>();
  return {
    load: (key) => Promise.resolve(kept.get(key)),
    save: (key, tokens) => {
      kept.set(key, tokens);
      return Promise.resolve();
    },
    withLock: (key, run) => {
      const before = last.get(key) ?? Promise.resolve();
      const running = before.then(run, run);
      const settled = running.catch(() => {});
      last.set(key, settled);
      void settled.then(() => {
        if (last.get(key) === settled) last.delete(key);
      });
      return running;
    },
  };
}
