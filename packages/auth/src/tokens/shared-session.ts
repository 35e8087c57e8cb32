import type { StoredTokens, TokenStore } from './token-store.ts';

/** What the clients of one session have in common in this process, besides the store. */
export interface SharedSession {
  /** Tokens that could not be saved. They contain the only valid refresh token of the session. */
  unsaved: StoredTokens | undefined;
}

const sessionsByStore = new WeakMap<TokenStore, Map<string, WeakRef<SharedSession>>>();
const collectedSessions = new FinalizationRegistry((forget: () => void) => forget());

/** The shared state of the session with this key in the store, for as long as a client holds it. */
export function sharedSession(store: TokenStore, key: string): SharedSession {
  const sessions = sessionsByStore.get(store) ?? new Map<string, WeakRef<SharedSession>>();
  sessionsByStore.set(store, sessions);
  const known = sessions.get(key)?.deref();
  if (known !== undefined) return known;
  const session: SharedSession = { unsaved: undefined };
  const reference = new WeakRef(session);
  sessions.set(key, reference);
  collectedSessions.register(session, () => {
    if (sessions.get(key) === reference) sessions.delete(key);
  });
  return session;
}
