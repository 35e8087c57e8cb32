import { OptionsError, withheld } from '@macadam/core';

/**
 * Validates the URL of an endpoint. Keys and tokens that come over plain HTTP can be replaced by anyone on the way, so only
 * `https` is allowed, and `http` on loopback for tests and sidecars.
 *
 * @throws OptionsError
 */
export function endpointUrl(path: string, uri: unknown): URL {
  const url = typeof uri === 'string' && URL.canParse(uri) ? new URL(uri) : undefined;
  const isLoopback = url !== undefined && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  const isAllowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback);
  if (url === undefined || !isAllowed || url.username !== '' || url.password !== '') {
    throw new OptionsError(
      path,
      // A text that is not a valid URL may still contain credentials.
      url === undefined ? withheld(uri) : url.origin,
      'an https URL without credentials (http on loopback alone)',
    );
  }
  return url;
}

/** The URL without its query, which may be a credential: for errors, descriptions and metrics. */
export function endpointName(url: URL): string {
  return url.origin + url.pathname;
}
