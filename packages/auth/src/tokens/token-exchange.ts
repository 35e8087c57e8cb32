import { hash } from 'node:crypto';
import { assertObject, assertInteger, assertText, OptionsError, RecencyMap, withheld, underPath } from '@macadam/core';
import { observeTokens } from '../instruments.ts';
import { grantClient } from './grant-client.ts';
import type { RequestCounts } from './caching-token-client.ts';
import { ACCESS_TOKEN, nameOf, resolveProvided } from './oauth.ts';
import type { Provided, TokenClientOptions } from './options.ts';
import { assertProvided, type TokenClientSettings, tokenClientSettings } from './settings.ts';
import type { TokenClient, TokenClientStats } from './token-client.ts';

/** Options of every token exchange. Types of tokens are URIs (RFC 8693 section 3). */
export interface ExchangeOptions extends TokenClientOptions {
  /** Type of the subject token. Default: `urn:ietf:params:oauth:token-type:access_token`. */
  subjectTokenType?: string;
  /** The token of who acts on behalf of the subject. Default: none, only the client itself. */
  actorToken?: Provided;
  /** Type of the actor token. Default: `urn:ietf:params:oauth:token-type:access_token`. */
  actorTokenType?: string;
  /**
   * Type of the requested token. A token that is not an access token, such as a SAML assertion, is returned as it is.
   * Default: chosen by the server, an access token.
   */
  requestedTokenType?: string;
}

/** Options of {@link tokenExchange}. */
export interface TokenExchangeOptions extends ExchangeOptions {
  /** The token that is exchanged, such as that of a workload in a file. A function is called for each request. */
  subjectToken: Provided;
}

/** Options of {@link tokenExchanges}. */
export interface TokenExchangesOptions extends ExchangeOptions {
  /** Maximum number of subjects whose clients are kept, the most recently used ones. Default: 1_000. */
  maxSubjects?: number;
}

/** Token clients for many subjects. Created by {@link tokenExchanges}. */
export interface TokenExchanges extends AsyncDisposable {
  /** Returns the client for this subject token: the same one as before, if it is still kept. */
  for(subjectToken: string): TokenClient;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): TokenExchangesStats;
  /** Closes the clients that are kept. */
  close(): Promise<void>;
}

/** What {@link TokenExchanges} have counted, including clients that are no longer kept. */
export interface TokenExchangesStats extends Pick<TokenClientStats, 'requests' | 'failures'> {
  /** Subjects that are kept now. */
  readonly subjects: number;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const EXCHANGE_OPTIONS = ['subjectTokenType', 'actorToken', 'actorTokenType', 'requestedTokenType'];

/**
 * Creates a client for tokens in exchange for another token (RFC 8693), such as the identity of a workload for that of
 * a cloud. Refreshed as those of `clientCredentials`. For the tokens of callers use {@link tokenExchanges}.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { tokenExchange } from '@macadam/auth';
 * import { readFile } from 'node:fs/promises';
 *
 * const tokens = tokenExchange({
 *   tokenUrl: 'https://sts.example.com/token',
 *   clientId: 'orders',
 *   clientAuth: 'none',
 *   subjectToken: () => readFile('/var/run/secrets/token', 'utf8'),
 * });
 * await tokens.close();
 * ```
 */
export function tokenExchange(options: TokenExchangeOptions): TokenClient {
  assertObject('tokenExchange', options);
  return underPath('tokenExchange', () => makeTokenExchange(options));
}

function makeTokenExchange(options: TokenExchangeOptions): TokenClient {
  const settings = tokenClientSettings(options, [...EXCHANGE_OPTIONS, 'subjectToken']);
  const { subjectToken } = options;
  assertProvided('subjectToken', subjectToken);
  const client = exchangeClient(settings, exchangeSettings(options), subjectToken);
  observeTokens(settings.name, client);
  return client;
}

/**
 * Creates clients for tokens on behalf of callers (RFC 8693): exchanges the token of each caller for one for the next
 * service. Callers share nothing; clients are found by a hash of the token.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { bearer, tokenExchanges } from '@macadam/auth';
 *
 * const exchanges = tokenExchanges({
 *   tokenUrl: 'https://login.example.com/token',
 *   clientId: 'orders',
 *   clientSecret: 'secret',
 *   audience: 'billing',
 * });
 * const auth = bearer(exchanges.for('the token of the caller'));
 * await exchanges.close();
 * ```
 */
export function tokenExchanges(options: TokenExchangesOptions): TokenExchanges {
  assertObject('tokenExchanges', options);
  return underPath('tokenExchanges', () => makeTokenExchanges(options));
}

function makeTokenExchanges(options: TokenExchangesOptions): TokenExchanges {
  const settings = tokenClientSettings(options, [...EXCHANGE_OPTIONS, 'maxSubjects']);
  const { maxSubjects = 1_000 } = options;
  assertInteger('maxSubjects', maxSubjects, { min: 1 });
  const exchanges = new ExchangesBySubject(settings, exchangeSettings(options), maxSubjects);
  observeTokens(settings.name, exchanges);
  return exchanges;
}

type ExchangeSettings = Required<Pick<ExchangeOptions, 'subjectTokenType' | 'actorTokenType'>> &
  Pick<ExchangeOptions, 'actorToken' | 'requestedTokenType'>;

class ExchangesBySubject implements TokenExchanges {
  readonly #settings: TokenClientSettings;
  readonly #exchange: ExchangeSettings;
  readonly #maxSubjects: number;
  /** By the hash of the subject token. */
  readonly #clients = new RecencyMap<string, TokenClient>();
  readonly #counts: RequestCounts = { requests: 0, failures: 0 };

  constructor(settings: TokenClientSettings, exchange: ExchangeSettings, maxSubjects: number) {
    this.#settings = settings;
    this.#exchange = exchange;
    this.#maxSubjects = maxSubjects;
  }

  for(subjectToken: string): TokenClient {
    if (typeof subjectToken !== 'string' || subjectToken === '') {
      throw new OptionsError('subjectToken', withheld(subjectToken), 'a text that is not empty');
    }
    const key = hash('sha256', subjectToken, 'base64');
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const client = exchangeClient(this.#settings, this.#exchange, subjectToken, this.#counts);
    this.#clients.set(key, client);
    // The evicted client is not closed: a caller may still be using it.
    if (this.#clients.size > this.#maxSubjects) this.#clients.deleteOldest();
    return client;
  }

  describe(): string {
    const { endpoint, requested } = this.#settings;
    return `tokens of ${nameOf(endpoint)} in exchange for those of up to ${this.#maxSubjects} callers, ${requested}`;
  }

  stats(): TokenExchangesStats {
    return { subjects: this.#clients.size, ...this.#counts };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function exchangeSettings(options: ExchangeOptions): ExchangeSettings {
  const { subjectTokenType = ACCESS_TOKEN, actorTokenType = ACCESS_TOKEN, actorToken, requestedTokenType } = options;
  assertText('subjectTokenType', subjectTokenType);
  assertText('actorTokenType', actorTokenType);
  if (actorToken !== undefined) assertProvided('actorToken', actorToken);
  if (requestedTokenType !== undefined) assertText('requestedTokenType', requestedTokenType);
  return {
    subjectTokenType,
    actorTokenType,
    ...(actorToken !== undefined && { actorToken }),
    ...(requestedTokenType !== undefined && { requestedTokenType }),
  };
}

function exchangeClient(
  settings: TokenClientSettings,
  exchange: ExchangeSettings,
  subjectToken: Provided,
  counts?: RequestCounts,
): TokenClient {
  const { subjectTokenType, actorToken, actorTokenType, requestedTokenType } = exchange;
  const { endpoint } = settings;
  const grantParameters = async (): Promise<[string, string][]> => {
    const parameters: [string, string][] = [
      ['subject_token', await resolveProvided(subjectToken, endpoint)],
      ['subject_token_type', subjectTokenType],
    ];
    if (requestedTokenType !== undefined) parameters.push(['requested_token_type', requestedTokenType]);
    if (actorToken !== undefined) {
      parameters.push(
        ['actor_token', await resolveProvided(actorToken, endpoint)],
        ['actor_token_type', actorTokenType],
      );
    }
    return parameters;
  };
  return grantClient(settings, GRANT_TYPE, 'token exchange', grantParameters, counts);
}
