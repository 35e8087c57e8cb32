/**
 * Decides whether a redirect is followed, and with which request. Pure, so that each rule is a row in a test table.
 *
 * Sources: RFC 9110, section 15.4 (the meaning of the statuses); the Fetch standard, "HTTP-redirect fetch" (method, body and
 * headers). Stricter than both, because a service call carries more secrets than a browser's: a redirect to another origin is
 * not followed unless allowed, and one from https to http never is.
 */

import { isUtf8 } from 'node:buffer';

/** Fewer than the 20 that browsers follow: services rarely need more than one. */
export const DEFAULT_MAX_REDIRECTS = 5;

/** Headers that are never sent to another origin: credentials, `host` and keys that are meant for one server. */
export const SECRET_HEADERS: readonly string[] = [
  'authorization',
  'cookie',
  'cookie2',
  'host',
  'idempotency-key',
  'proxy-authorization',
  'x-api-key',
  'x-auth-token',
  'x-csrf-token',
];

/** Headers that describe the body, which are dropped together with it. */
const BODY_HEADERS: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'digest',
  'content-digest',
  'last-modified',
]);

/** Which redirects are followed. */
export interface RedirectRules {
  /** Maximum number of redirects in a row. */
  readonly max: number;
  /** Whether redirects to another origin are followed. */
  readonly crossOrigin: boolean;
  /** Lower-case names of the headers that are not sent to another origin. */
  readonly secretHeaders: ReadonlySet<string>;
}

/** The request that was answered with a redirect. */
export interface RedirectedRequest {
  readonly method: string;
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[];
  /** The redirects that led to it. */
  readonly hops: number;
  /** Whether it had a body, and whether that can be sent again. */
  readonly body: 'none' | 'replayable' | 'spent';
}

/**
 * Why a redirect was not followed:
 *
 * - `tooMany`: more than `redirects.max` in a row.
 * - `crossOrigin`: to another origin, without `redirects.crossOrigin`.
 * - `insecure`: from https to http.
 * - `invalidLocation`: `Location` is not an http or https URL, or contains credentials.
 * - `bodyNotReplayable`: the body is a stream that cannot be sent again.
 */
export type RedirectRefusal = 'bodyNotReplayable' | 'crossOrigin' | 'insecure' | 'invalidLocation' | 'tooMany';

/** What to do about a redirect. */
export type RedirectDecision =
  | {
      readonly next: 'follow';
      readonly origin: string;
      readonly path: string;
      readonly method: string;
      readonly headers: readonly string[];
      readonly keepsBody: boolean;
    }
  | { readonly next: 'refuse'; readonly reason: RedirectRefusal };

/** Whether a response is a redirect. 300, 304 and a 3xx without `Location` are not. */
export function isRedirect(status: number, location: string | undefined): location is string {
  return location !== undefined && isRedirectStatus(status);
}

/** Whether a status is a redirect status (Fetch, "redirect status"). */
export function isRedirectStatus(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

export function decideRedirect(
  rules: RedirectRules,
  request: RedirectedRequest,
  status: number,
  location: string,
): RedirectDecision {
  if (request.hops >= rules.max) return refuse('tooMany');
  const base = request.origin + request.path;
  const target = asUtf8(location);
  const url = URL.canParse(target, base) ? new URL(target, base) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return refuse('invalidLocation');
  if (url.username !== '' || url.password !== '') return refuse('invalidLocation');
  const crossesOrigin = url.origin !== new URL(request.origin).origin;
  if (url.protocol === 'http:' && request.origin.startsWith('https:')) return refuse('insecure');
  if (crossesOrigin && !rules.crossOrigin) return refuse('crossOrigin');
  const becomesGet = changesToGet(request.method, status);
  if (!becomesGet && request.body === 'spent') return refuse('bodyNotReplayable');
  const isDropped = (name: string): boolean =>
    (crossesOrigin && rules.secretHeaders.has(name)) || (becomesGet && BODY_HEADERS.has(name));
  return {
    next: 'follow',
    origin: url.origin,
    path: url.pathname + url.search,
    method: becomesGet ? 'GET' : request.method,
    headers: withoutHeaders(request.headers, isDropped),
    keepsBody: !becomesGet,
  };
}

/**
 * Header values are read as Latin-1. Characters in a location that should have been percent-encoded are UTF-8 (Fetch, "location
 * URL"): read as Latin-1, `/é` would become another path.
 */
function asUtf8(location: string): string {
  if (!/[\x80-\xff]/.test(location) || /[\u0100-\uffff]/.test(location)) return location;
  const bytes = Buffer.from(location, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : location;
}

function refuse(reason: RedirectRefusal): RedirectDecision {
  return { next: 'refuse', reason };
}

/** 303 changes every method except GET and HEAD to GET; 301 and 302 change POST, as all clients do (RFC 9110, section 15.4). */
function changesToGet(method: string, status: number): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

function withoutHeaders(headers: readonly string[], isDropped: (name: string) => boolean): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isDropped(headers[i] as string)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept.length === headers.length ? headers : kept;
}
