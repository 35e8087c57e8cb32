import { hash } from 'node:crypto';
import { assertFunction, assertObject, OptionsError, withheld, underPath } from '@macadam/core';
import { within } from '../fetch/within.ts';
import { observeTokens } from '../instruments.ts';
import { TokenRequestError } from './errors.ts';
import { type Grant, HeldToken } from './held-token.ts';
import { nameOf, requestToken, type TokenAnswer } from './oauth.ts';
import type { TokenClientOptions } from './options.ts';
import { type TokenClientSettings, tokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';
import { lifetimeOf } from './token-lifetime.ts';
import { memoryTokenStore, type StoredTokens, type TokenStore } from './token-store.ts';

/** Options of {@link refreshTokens}. */
export interface RefreshTokensOptions extends TokenClientOptions {
  /** The refresh token of the session. Later ones are kept in the store. */
  refreshToken: string;
  /**
   * Where refresh tokens are kept. Processes that share a session must share a store. Default: the memory of this
   * client.
   */
  store?: TokenStore;
}

/** A refresh token that was refused stays refused. Asking again would look like theft, and like a storm. */
const REFUSED_MS = 600_000;
/** Others may have the lock, one after another, and each may wait for an answer. */
const STORE_MS = 60_000;
const SAVE_ATTEMPTS = 3;
const SAVE_WAIT_MS = 200;

/**
 * Creates a client for the tokens of a session that started elsewhere, by its refresh token (RFC 6749 section 6).
 * Refreshed as those of `clientCredentials`.
 *
 * A refresh token that changes with each use is used only once: under the lock of the store, the next process finds the
 * new one. One that was rejected is not sent again for 10 minutes, unless the store has another by then.
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
  const { endpoint, wanted, minRemainingMs, clock, random } = settings;
  const held = new HeldToken({
    clock,
    random,
    minRemainingMs,
    endpoint: nameOf(endpoint),
    description: `tokens of ${nameOf(endpoint)} by a refresh token, as ${endpoint.client.id} (${endpoint.client.method}), ${wanted}`,
    grant: (signal, refused) => session.grant(signal, refused),
  });
  observeTokens(settings.name, held);
  return held;
}

class Session {
  readonly #settings: TokenClientSettings;
  readonly #first: string;
  readonly #store: TokenStore;
  readonly #key: string;
  /** What could not be saved: without it the session would be lost. */
  #unsaved: StoredTokens | undefined;
  #refused: { readonly refreshToken: string; readonly until: number; readonly error: TokenRequestError } | undefined;

  constructor(settings: TokenClientSettings, first: string, store: TokenStore) {
    this.#settings = settings;
    this.#first = first;
    this.#store = store;
    this.#key = keyOf(settings, first);
  }

  async grant(signal: AbortSignal, refusedToken: string | undefined): Promise<Grant> {
    try {
      // The promise of a store is not ours, and all who want a token wait for it.
      const granted = this.#store.withLock(this.#key, () => this.#grantAlone(signal, refusedToken), signal);
      return await within(STORE_MS, this.#settings.clock, granted);
    } catch (error) {
      if (signal.aborted || error instanceof TokenRequestError) throw error;
      throw new TokenRequestError('store', nameOf(this.#settings.endpoint), { cause: error });
    }
  }

  async #grantAlone(signal: AbortSignal, refusedToken: string | undefined): Promise<Grant> {
    const { endpoint, parameters, clock } = this.#settings;
    const stored = this.#unsaved ?? readStored(await this.#store.load(this.#key));
    const others = grantOf(stored, clock.now(), refusedToken, this.#settings.minRemainingMs);
    if (others !== undefined && this.#unsaved === undefined) return others;
    const refreshToken = stored?.refreshToken ?? this.#first;
    if (this.#refused?.refreshToken === refreshToken && clock.monotonic() < this.#refused.until) {
      throw this.#refused.error;
    }
    const grantedAtMs = clock.now();
    let answer: TokenAnswer;
    try {
      answer = await requestToken(endpoint, 'refresh_token', [...parameters, ['refresh_token', refreshToken]], signal);
    } catch (error) {
      if (error instanceof TokenRequestError && error.error === 'invalid_grant') {
        this.#refused = { refreshToken, until: clock.monotonic() + REFUSED_MS, error };
      }
      throw error;
    }
    const { lifetimeMs, odd } = lifetimeOf(answer.expiresIn);
    const { accessToken } = answer;
    this.#unsaved = { refreshToken: answer.refreshToken ?? refreshToken, accessToken, grantedAtMs, lifetimeMs };
    await this.#save(signal);
    return { token: accessToken, lifetimeMs, odd };
  }

  /** The token is good whether or not this works, and what was not saved is saved with the next. */
  async #save(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; this.#unsaved !== undefined; attempt++) {
      try {
        await this.#store.save(this.#key, this.#unsaved);
        this.#unsaved = undefined;
      } catch {
        if (attempt === SAVE_ATTEMPTS) return;
        // The others would use the old one, and the server would end the session: worth a moment under the lock.
        await this.#settings.clock.sleep(SAVE_WAIT_MS, signal);
      }
    }
  }
}

/** Fails for what is no session: to begin it anew could be the second use of its first token. */
function readStored(stored: StoredTokens | null | undefined): StoredTokens | undefined {
  if (stored === undefined || stored === null) return undefined;
  if (typeof stored.refreshToken === 'string' && stored.refreshToken !== '') return stored;
  throw new Error('The store has something else than a session under its name.');
}

/** What another process got meanwhile, if it is of use. */
function grantOf(
  stored: StoredTokens | undefined,
  now: number,
  refused: string | undefined,
  minRemainingMs: number,
): Grant | undefined {
  if (typeof stored?.accessToken !== 'string' || stored.accessToken === refused) return undefined;
  const { accessToken, grantedAtMs, lifetimeMs } = stored;
  if (!isTime(grantedAtMs) || !isTime(lifetimeMs)) return undefined;
  const agedMs = Math.max(0, now - grantedAtMs);
  // Young enough that taking it is not the same as keeping the one that is to be replaced.
  if (agedMs > (lifetimeMs - Math.min(minRemainingMs, lifetimeMs / 2)) / 2) return undefined;
  return { token: accessToken, lifetimeMs, odd: false, agedMs };
}

/** A store may write what it was given in some way of its own, and read it as something else. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Whose session: everything that makes it another one, and no secret in the clear. */
function keyOf({ endpoint, parameters }: TokenClientSettings, first: string): string {
  const { client, url, dpop } = endpoint;
  const parts = [url.href, client.id, client.method, [...parameters].sort(), dpop?.thumbprint ?? null, first];
  return hash('sha256', JSON.stringify(parts), 'base64url');
}
