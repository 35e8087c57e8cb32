import { CachingTokenClient, type RequestCounts } from './caching-token-client.ts';
import { nameOf, requestToken } from './oauth.ts';
import type { TokenClientSettings } from './settings.ts';
import type { TokenClient } from './token-client.ts';
import { lifetimeOf } from './token-lifetime.ts';

/**
 * Creates a token client for one grant type.
 *
 * @param grantName - for `describe()`
 * @param grantParameters - the parameters that the grant adds to each request
 * @param counts - counts of several clients together, if there are any
 */
export function grantClient(
  settings: TokenClientSettings,
  grantType: string,
  grantName: string,
  grantParameters: () => readonly (readonly [string, string])[] | Promise<readonly (readonly [string, string])[]>,
  counts?: RequestCounts,
): TokenClient {
  const { endpoint, parameters, requested, minRemainingMs, clock, random } = settings;
  return new CachingTokenClient({
    clock,
    random,
    minRemainingMs,
    counts,
    endpoint: nameOf(endpoint),
    description:
      `tokens of ${nameOf(endpoint)} by ${grantName}, as ${endpoint.client.id} (${endpoint.client.method}), ${requested}; ` +
      `replaced in the background, waited for when ${minRemainingMs} ms are left; ` +
      (endpoint.dpop === undefined ? 'bearer' : 'bound to a key (DPoP)'),
    grant: async (signal) => {
      const response = await requestToken(endpoint, grantType, [...parameters, ...(await grantParameters())], signal);
      return { token: response.accessToken, ...lifetimeOf(response.expiresIn) };
    },
  });
}
