import { assertText, OptionsError, withheld } from '@macadam/core';

/**
 * Parses the URL that all requests are relative to.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) unless it is an http or https URL without credentials, query and fragment
 */
export function parseBaseUrl(text: unknown, path = 'baseUrl'): URL {
  assertText(path, text);
  const shown = printableUrl(text);
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

/**
 * A URL without credentials, query and fragment, for a message. It may be malformed, so everything up to the last `@` counts as
 * credentials. With a `?` or `#` before that, what follows it may belong to the query, and nothing is shown.
 */
export function printableUrl(text: string): unknown {
  const at = text.lastIndexOf('@');
  if (at >= 0 && /[?#]/.test(text.slice(0, at))) return withheld(text);
  return (at < 0 ? text : `...${text.slice(at)}`).replace(/[?#].*$/s, '?...');
}
