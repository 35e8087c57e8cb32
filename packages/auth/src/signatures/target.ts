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
  /** Path and query, without a question mark where there is none. */
  readonly pathAndQuery: string;
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
  // RFC 9110 section 4.2.3: an empty port is the default one.
  const port = [':', IMPLIED_PORTS[scheme]].find((one) => one !== undefined && host.endsWith(one)) ?? '';
  const authority = host.slice(0, host.length - port.length);
  if (authority === '') return undefined;
  const path = parts[3] ?? '/';
  const pathAndQuery = `${path}${parts[4] ?? ''}`;
  return {
    scheme,
    authority,
    path,
    query: parts[4] ?? '?',
    pathAndQuery,
    uri: `${scheme}://${authority}${pathAndQuery}`,
  };
}

/** The parameters of a query, parsed once: hundreds of components can name one. `undefined` for an ambiguous value. */
const queryParameters = new WeakMap<Target, ReadonlyMap<string, string | undefined>>();

/**
 * The value of a query parameter in the encoding of RFC 9421 section 2.2.8, which `name` has to have too. `undefined`
 * when the parameter is missing or occurs more than once, and when it is not valid UTF-8 or has a `%` that encodes
 * nothing, which parsers read differently.
 */
export function queryParameter(target: Target, name: string): string | undefined {
  const parameters = queryParameters.get(target) ?? parseQuery(target.query);
  queryParameters.set(target, parameters);
  return parameters.get(name);
}

function parseQuery(query: string): ReadonlyMap<string, string | undefined> {
  const parameters = new Map<string, string | undefined>();
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=');
    const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    const name = pair === '' ? undefined : reencode(key);
    if (name !== undefined) parameters.set(name, parameters.has(name) ? undefined : reencode(value));
  }
  return parameters;
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
