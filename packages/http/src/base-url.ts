import { assertText, OptionsError } from '@macadam/core';

/**
 * The URL that requests begin with.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for what is no http or https URL, or has credentials, a query, a fragment.
 */
export function parseBaseUrl(text: unknown, path = 'baseUrl'): URL {
  assertText(path, text);
  // Nothing between "//" and "@" may reach a message.
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
