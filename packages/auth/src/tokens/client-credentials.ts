import { assertObject, underPath } from '@macadam/core';
import { observeTokens } from '../instruments.ts';
import { grantClient } from './grant-client.ts';
import type { TokenClientOptions } from './options.ts';
import { tokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';

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
