import { hash } from 'node:crypto';
import { abortable, assertFunction, assertObject, OptionsError, withheld, underPath } from '@macadam/core';
import { withTimeout } from '../with-timeout.ts';
import { observeTokens } from '../instruments.ts';
import { TokenRequestError } from './errors.ts';
import { type GrantedToken, CachingTokenClient } from './caching-token-client.ts';
import { nameOf, requestToken, type TokenResponse } from './oauth.ts';
import type { TokenClientOptions } from './options.ts';
import { type TokenClientSettings, tokenClientSettings } from './settings.ts';
import { type SharedSession, sharedSession } from './shared-session.ts';
import type { TokenClient } from './token-client.ts';
import { lifetimeOf } from './token-lifetime.ts';
import { memoryTokenStore, type StoredAccessToken, type StoredTokens, type TokenStore } from './token-store.ts';

/** Options of {@link refreshTokens}. */
export interface RefreshTokensOptions extends TokenClientOptions {
  /** The refresh token of the session. Later ones are kept in the store. */
  refreshToken: string;
  /**
   * Where refresh tokens are kept. Clients that share a session must share a store, in several processes or in one,
   * even for different scopes. Default: the memory of this client.
   */
  store?: TokenStore;
}

/**
 * A rejected refresh token (`invalid_grant`) stays rejected. Sending it again would look like theft and only cause
 * load.
 */
const REJECTED_REFRESH_MS = 600_000;
/** Several processes may hold the lock one after another, each for the time of a token request. */
const STORE_TIMEOUT_MS = 60_000;
const SAVE_ATTEMPTS = 3;
const SAVE_RETRY_MS = 200;

/**
 * Creates a client for the tokens of a session that started elsewhere, by its refresh token (RFC 6749 section 6).
 * Refreshed as those of `clientCredentials`.
 *
 * A refresh token that changes with each use is used only once: under the lock of the store, the next process finds the
 * new one. One that was rejected is not sent again for 10 minutes, unless the store has another by then. `close` waits
 * for a request in flight, for at most twice `timeoutMs`, and the refresh token in its response is saved.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows a token
 * @example
 * ```ts
 * import { refreshTokens } from '@macadam/auth';
 *
 * const tokens = refreshTokens({
 *   tokenUrl: 'https://login.example.com/token',
 *   clientId: 'orders',
 *   clientAuth: 'none',
 *   refreshToken: 'the refresh token of the session',
 * });
 * await tokens.close();
 * ```
 */
export function refreshTokens(options: RefreshTokensOptions): TokenClient {
  assertObject('refreshTokens', options);
  return underPath('refreshTokens', () => makeRefreshTokens(options));
}

function makeRefreshTokens(options: RefreshTokensOptions): TokenClient {
  const settings = tokenClientSettings(options, ['refreshToken', 'store']);
  const { refreshToken, store = memoryTokenStore() } = options;
  if (typeof refreshToken !== 'string' || refreshToken === '') {
    throw new OptionsError('refreshToken', withheld(refreshToken), 'a text that is not empty');
  }
  assertObject('store', store);
  for (const name of ['load', 'save', 'withLock'] as const) assertFunction(`store.${name}`, store[name]);
  const session = new Session(settings, refreshToken, store);
  const { endpoint, requested, minRemainingMs, clock, random } = settings;
  const client = new CachingTokenClient({
    clock,
    random,
    minRemainingMs,
    endpoint: nameOf(endpoint),
    description: `tokens of ${nameOf(endpoint)} by a refresh token, as ${endpoint.client.id} (${endpoint.client.method}), ${requested}`,
    grant: (signal, rejectedAccessToken) => session.grant(signal, rejectedAccessToken),
    finished: () => session.finished(),
  });
  observeTokens(settings.name, client);
  return client;
}

class Session {
  readonly #settings: TokenClientSettings;
  readonly #initialRefreshToken: string;
  readonly #store: TokenStore;
  readonly #sessionKey: string;
  readonly #requestKey: string;
  readonly #shared: SharedSession;
  /** The last grant. It settles when the lock has been released. */
  #granted: Promise<GrantedToken> | undefined;
  #rejectedRefresh:
    { readonly refreshToken: string; readonly until: number; readonly error: TokenRequestError } | undefined;

  constructor(settings: TokenClientSettings, initialRefreshToken: string, store: TokenStore) {
    this.#settings = settings;
    this.#initialRefreshToken = initialRefreshToken;
    this.#store = store;
    this.#sessionKey = sessionKey(settings, initialRefreshToken);
    this.#requestKey = requestKey(settings);
    this.#shared = sharedSession(store, this.#sessionKey);
  }

  async grant(signal: AbortSignal, rejectedAccessToken: string | undefined): Promise<GrantedToken> {
    try {
      // With a time limit: the store may be the user's code, and every caller of `getToken` waits for it.
      this.#granted = this.#store.withLock(
        this.#sessionKey,
        () => this.#grantUnderLock(signal, rejectedAccessToken),
        signal,
      );
      return await abortable(withTimeout(STORE_TIMEOUT_MS, this.#settings.clock, this.#granted), signal);
    } catch (error) {
      if (signal.aborted || error instanceof TokenRequestError) throw error;
      throw new TokenRequestError('store', nameOf(this.#settings.endpoint), { cause: error });
    }
  }

  /** Resolves when the grant in flight is finished, or has had the time that its requests may take. Never rejects. */
  async finished(): Promise<void> {
    const { clock, endpoint } = this.#settings;
    if (this.#granted === undefined) return;
    await withTimeout(2 * endpoint.timeoutMs, clock, this.#granted).catch(() => {});
  }

  async #grantUnderLock(signal: AbortSignal, rejectedAccessToken: string | undefined): Promise<GrantedToken> {
    const { clock } = this.#settings;
    const stored = this.#shared.unsaved ?? validateStored(await this.#store.load(this.#sessionKey));
    const known = accessTokensOf(stored);
    const fromOtherClient = reusableGrant(
      known.get(this.#requestKey),
      clock.now(),
      rejectedAccessToken,
      this.#settings.minRemainingMs,
    );
    if (fromOtherClient !== undefined) {
      await this.#save();
      return fromOtherClient;
    }
    const refreshToken = stored?.refreshToken ?? this.#initialRefreshToken;
    if (this.#rejectedRefresh?.refreshToken === refreshToken && clock.monotonic() < this.#rejectedRefresh.until) {
      throw this.#rejectedRefresh.error;
    }
    signal.throwIfAborted();
    return await this.#refresh(refreshToken, known);
  }

  /** Never cancelled: the server may have replaced the refresh token, and the new one is in the response alone. */
  async #refresh(refreshToken: string, known: Map<string, StoredAccessToken>): Promise<GrantedToken> {
    const { endpoint, parameters, clock } = this.#settings;
    const grantedAtMs = clock.now();
    let response: TokenResponse;
    try {
      response = await requestToken(
        endpoint,
        'refresh_token',
        [...parameters, ['refresh_token', refreshToken]],
        new AbortController().signal,
      );
    } catch (error) {
      if (error instanceof TokenRequestError && error.error === 'invalid_grant') {
        this.#rejectedRefresh = { refreshToken, until: clock.monotonic() + REJECTED_REFRESH_MS, error };
      }
      throw error;
    }
    const { lifetimeMs, isOddLifetime } = lifetimeOf(response.expiresIn);
    const { accessToken } = response;
    known.set(this.#requestKey, { accessToken, grantedAtMs, lifetimeMs });
    const valid = [...known].filter(([, one]) => clock.now() < one.grantedAtMs + one.lifetimeMs);
    this.#shared.unsaved = {
      refreshToken: response.refreshToken ?? refreshToken,
      accessTokens: Object.fromEntries(valid),
    };
    await this.#save();
    return { token: accessToken, lifetimeMs, isOddLifetime };
  }

  /**
   * Never throws because of the store: the token is valid anyway, and what was not saved now is saved with the next
   * one.
   */
  async #save(): Promise<void> {
    for (let attempt = 1; this.#shared.unsaved !== undefined; attempt++) {
      try {
        await this.#store.save(this.#sessionKey, this.#shared.unsaved);
        this.#shared.unsaved = undefined;
      } catch {
        if (attempt === SAVE_ATTEMPTS) return;
        // Other processes would use the old refresh token, and the server would end the session: worth a retry under
        // the lock.
        await this.#settings.clock.sleep(SAVE_RETRY_MS);
      }
    }
  }
}

/**
 * Throws for an entry that is not a session. Treating it as missing would start the session again with its first refresh
 * token, and the second use of that token ends the session.
 */
function validateStored(stored: StoredTokens | null | undefined): StoredTokens | undefined {
  if (stored === undefined || stored === null) return undefined;
  if (typeof stored.refreshToken === 'string' && stored.refreshToken !== '') return stored;
  throw new Error('The store returned something other than the tokens of a session.');
}

/** The access tokens of a session, by what was requested. A store may serialize them in its own way and lose some. */
function accessTokensOf(stored: StoredTokens | undefined): Map<string, StoredAccessToken> {
  const entries = Object.entries(stored?.accessTokens ?? {}).filter(
    ([, one]: [string, Partial<StoredAccessToken> | null]) =>
      typeof one?.accessToken === 'string' && Number.isFinite(one.grantedAtMs) && Number.isFinite(one.lifetimeMs),
  );
  return new Map(entries);
}

/** The token that another client obtained, if it is recent enough to be used here. */
function reusableGrant(
  stored: StoredAccessToken | undefined,
  now: number,
  rejectedAccessToken: string | undefined,
  minRemainingMs: number,
): GrantedToken | undefined {
  if (stored === undefined || stored.accessToken === rejectedAccessToken) return undefined;
  const { accessToken, grantedAtMs, lifetimeMs } = stored;
  const ageMs = Math.max(0, now - grantedAtMs);
  // It must be in the first half of its use: an older one may be the very token that this refresh is to replace.
  if (ageMs > (lifetimeMs - Math.min(minRemainingMs, lifetimeMs / 2)) / 2) return undefined;
  return { token: accessToken, lifetimeMs, isOddLifetime: false, ageMs };
}

/**
 * The key of the session in the store: a hash of the server, the client and the first refresh token. Nothing else may be
 * part of it: the refresh token is the same whatever is requested with it.
 */
function sessionKey({ endpoint: { client, url } }: TokenClientSettings, initialRefreshToken: string): string {
  return hash('sha256', JSON.stringify([url.href, client.id, initialRefreshToken]), 'base64url');
}

/** The key of an access token in its session: a hash of everything that distinguishes requests. */
function requestKey({ endpoint, parameters }: TokenClientSettings): string {
  const parts = [[...parameters].sort(), endpoint.dpop?.thumbprint ?? null];
  return hash('sha256', JSON.stringify(parts), 'base64url');
}
