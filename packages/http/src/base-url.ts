import { assertText, OptionsError } from '@macadam/core';

/**
 * Parses the URL that all requests are relative to.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) unless it is an http or https URL without credentials, query and fragment
 */
export function parseBaseUrl(text: unknown, path = 'baseUrl'): URL {
  assertText(path, text);
  // Credentials must not appear in a message.
  const shown = text.replace(/\/\/[^/?#]*@/, '//…@').replace(/[?#].*$/s, '?…');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new OptionsError(path, shown, 'an http or https URL, such as "https://api.example.com"');
  }
  if (url.username !== '' || url.password !== '') {
    throw new OptionsError(path, shown, 'without credentials: send them in a header');
  }
  if (/[?#]/.test(text)) throw new OptionsError(path, shown, 'without query and fragment');
  return url;
}
