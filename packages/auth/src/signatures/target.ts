import { OptionsError, withheld } from '@macadam/core';

/** The parts of a request's URL that a signature can cover, as they were sent. */
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

/** No user information: it is not part of a target. No backslash, which some readers take for a slash. */
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\\]+)(\/[^?#\\]*)?(\?[^#\\]*)?(?:#.*)?$/i;
const IMPLIED_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/** @throws OptionsError for a path alone, which no sender decides: the origin is for whoever verifies to say. */
export function assertAbsolute(url: unknown): void {
  if (typeof url === 'string' && /^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return;
  throw new OptionsError(
    'message.url',
    withheld(url),
    'a whole URL: your own origin, then path and query as they came',
  );
}

/**
 * Takes a URL apart. Path and query are left as they are: were `/a/../b` read as `/b`, a signature for `/b` would hold for
 * a request that a router takes for something else. `undefined` for what is no absolute URL in visible ASCII.
 */
export function readTarget(url: string): Target | undefined {
  const parts = /^[!-~]+$/.test(url) ? URL_PARTS.exec(url) : null;
  if (parts === null) return undefined;
  const scheme = parts[1]!.toLowerCase();
  const named = parts[2]!.toLowerCase();
  const port = IMPLIED_PORTS[scheme];
  const authority = port !== undefined && named.endsWith(port) ? named.slice(0, -port.length) : named;
  const path = parts[3] ?? '/';
  const query = parts[4] ?? '?';
  return { scheme, authority, path, query, uri: `${scheme}://${authority}${path}${parts[4] ?? ''}` };
}

/**
 * The value of a query parameter, written in the one way that RFC 9421 section 2.2.8 knows; `name` is written so, too.
 * `undefined` when it is not there, or there more than once, or not in UTF-8: then two queries could have one value.
 */
export function queryParameter(query: string, name: string): string | undefined {
  const found: string[] = [];
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=');
    const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    if (pair !== '' && recode(key) === name) found.push(value);
  }
  return found.length === 1 ? recode(found[0]!) : undefined;
}

function recode(text: string): string | undefined {
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
