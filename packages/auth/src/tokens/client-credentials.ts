import { assertObject, underPath } from '@macadam/core';
import { observeTokens } from '../instruments.ts';
import { type GrantTally, HeldToken } from './held-token.ts';
import { nameOf, requestToken } from './oauth.ts';
import type { TokenClientOptions } from './options.ts';
import { type TokenClientSettings, tokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';
import { lifetimeOf } from './token-lifetime.ts';

/** Options of {@link clientCredentials}. */
export type ClientCredentialsOptions = TokenClientOptions;

/**
 * Creates a client for the tokens of a service itself (client credentials, RFC 6749 section 4.4), for `bearer()` and
 * `dpop()`. Concurrent callers share one request. A token is replaced in the background well before it expires, and
 * used as long as it is valid while the endpoint does not respond. Two clients share nothing.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows a secret.
 * @example
 * ```ts
 * import { clientCredentials } from '@macadam/auth';
 *
 * const tokens = clientCredentials({
 *   tokenUrl: 'https://id.example.com/token',
 *   clientId: 'orders',
 *   clientSecret: () => process.env['CLIENT_SECRET'] ?? '',
 *   scope: 'invoices:read',
 * });
 * await tokens.close();
 * ```
 */
export function clientCredentials(options: ClientCredentialsOptions): TokenClient {
  assertObject('clientCredentials', options);
  return underPath('clientCredentials', () => makeClientCredentials(options));
}

function makeClientCredentials(options: ClientCredentialsOptions): TokenClient {
  const settings = tokenClientSettings(options);
  const client = grantClient(settings, 'client_credentials', 'client credentials', () => []);
  observeTokens(settings.name, client);
  return client;
}

/** A client of one grant. `more` gives what the grant adds to each request. */
export function grantClient(
  settings: TokenClientSettings,
  grantType: string,
  words: string,
  more: () => readonly (readonly [string, string])[] | Promise<readonly (readonly [string, string])[]>,
  tally?: GrantTally,
): TokenClient {
  const { endpoint, parameters, wanted, minRemainingMs, clock, random } = settings;
  return new HeldToken({
    clock,
    random,
    minRemainingMs,
    tally,
    endpoint: nameOf(endpoint),
    description:
      `tokens of ${nameOf(endpoint)} by ${words}, as ${endpoint.client.id} (${endpoint.client.method}), ${wanted}; ` +
      `replaced in the background, waited for when ${minRemainingMs} ms are left; ` +
      (endpoint.dpop === undefined ? 'bearer' : 'bound to a key (DPoP)'),
    grant: async (signal) => {
      const answer = await requestToken(endpoint, grantType, [...parameters, ...(await more())], signal);
      return { token: answer.accessToken, ...lifetimeOf(answer.expiresIn) };
    },
  });
}
