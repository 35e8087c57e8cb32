import { OptionsError, withheld } from '@macadam/core';

/** What came over a line anybody can write to is nobody's; loopback is for tests and sidecars. */
export function endpointUrl(path: string, uri: unknown): URL {
  const url = typeof uri === 'string' && URL.canParse(uri) ? new URL(uri) : undefined;
  const loopback = url !== undefined && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  const fair = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback);
  if (url === undefined || !fair || url.username !== '' || url.password !== '') {
    throw new OptionsError(
      path,
      // What cannot be read may hold credentials all the same.
      url === undefined ? withheld(uri) : url.origin,
      'an https URL without credentials (http on loopback alone)',
    );
  }
  return url;
}
