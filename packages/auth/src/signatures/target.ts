import { OptionsError, withheld } from '@macadam/core';

/** The parts of a request URL that a signature can cover, exactly as they were sent. */
export interface Target {
  /** In lower case. */
  readonly scheme: string;
  /** In lower case, without the port that the scheme implies. */
  readonly authority: string;
  /** Never empty. */
  readonly path: string;
  /** With its question mark; `?` where there is none. */
  readonly query: string;
  /** All of it, without the fragment. */
  readonly uri: string;
}

/** No user information, which is not part of a target. No backslash, which some parsers read as a slash. */
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\\]+)(\/[^?#\\]*)?(\?[^#\\]*)?(?:#.*)?$/i;
const IMPLIED_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/**
 * @throws OptionsError for a path alone: the verifier has to supply its own origin, and must not take it from the
 * sender
 */
export function assertAbsoluteUrl(url: unknown): void {
  if (typeof url === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return;
  throw new OptionsError(
    'message.url',
    withheld(url),
    'a whole URL: your own origin, then path and query as they came',
  );
}

/**
 * Parses a URL without normalizing path and query: if `/a/../b` were read as `/b`, a signature for `/b` would be valid
 * for a request that a router may treat differently. `undefined` unless it is an absolute URL in visible ASCII.
 */
export function parseTarget(url: string): Target | undefined {
  const parts = /^[!-~]+$/.test(url) ? URL_PARTS.exec(url) : null;
  if (parts === null) return undefined;
  const scheme = parts[1]!.toLowerCase();
  const host = parts[2]!.toLowerCase();
  const port = IMPLIED_PORTS[scheme];
  const authority = port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
  const path = parts[3] ?? '/';
  const query = parts[4] ?? '?';
  return { scheme, authority, path, query, uri: `${scheme}://${authority}${path}${parts[4] ?? ''}` };
}

/**
 * The value of a query parameter in the encoding of RFC 9421 section 2.2.8, which `name` has to have too. `undefined` when
 * the parameter is missing, occurs more than once, or is not valid UTF-8: two different queries could have the same value.
 */
export function queryParameter(query: string, name: string): string | undefined {
  const found: string[] = [];
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=');
    const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    if (pair !== '' && reencode(key) === name) found.push(value);
  }
  return found.length === 1 ? reencode(found[0]!) : undefined;
}

function reencode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return encodeURIComponent(decoded).replaceAll(
      /[!'()~]/g,
      (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  } catch {
    return undefined;
  }
}
