/**
 * What becomes of a redirect: pure, so that every rule is a row of a table.
 *
 * Sources: RFC 9110, section 15.4 (the meaning of the statuses); the Fetch standard, "HTTP-redirect fetch" (what becomes
 * of method, body and headers). Stricter than both where a service call has more to lose than a browser: another origin
 * is not followed unless allowed, and an encrypted call never goes on in the clear.
 */

import { isUtf8 } from 'node:buffer';

/** Hops that are followed. Source: what services need; browsers follow 20. */
export const DEFAULT_MAX_REDIRECTS = 5;

/** Never sent to another origin. Not only credentials: `host` would name the wrong one, a key is for one server. */
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

/** What speaks of the body, and so goes with it. */
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
  /** Hops in a row. */
  readonly max: number;
  /** Whether a hop may leave the origin. */
  readonly crossOrigin: boolean;
  /** Lower-case names of headers that stay behind when it does. */
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
  /** Hops that led to it. */
  readonly hops: number;
  /** Whether it had a body, and whether that can be sent once more. */
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

/** What to do about an answer with a status in 3xx. */
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

/** Whether an answer asks for another request. 300, 304 and a 3xx without `Location` do not. */
export function isRedirect(status: number, location: string | undefined): location is string {
  return location !== undefined && isRedirectStatus(status);
}

/** Whether a status is one of a redirect (Fetch, "redirect status"), wherever that leads to. */
export function isRedirectStatus(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** Decides about a redirect: where to, and what goes along. */
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
  const becomesGet = turnsIntoGet(request.method, status);
  if (!becomesGet && request.body === 'spent') return refuse('bodyNotReplayable');
  const dropped = (name: string): boolean =>
    (crossesOrigin && rules.secretHeaders.has(name)) || (becomesGet && BODY_HEADERS.has(name));
  return {
    next: 'follow',
    origin: url.origin,
    path: url.pathname + url.search,
    method: becomesGet ? 'GET' : request.method,
    headers: without(request.headers, dropped),
    keepsBody: !becomesGet,
  };
}

/**
 * Header values are read as Latin-1. What is not ASCII in a location should have been encoded, and is UTF-8 where it was
 * not (Fetch, "location URL"): else `/é` would become another path.
 */
function asUtf8(location: string): string {
  if (!/[\x80-\xff]/.test(location) || /[\u0100-\uffff]/.test(location)) return location;
  const bytes = Buffer.from(location, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : location;
}

function refuse(reason: RedirectRefusal): RedirectDecision {
  return { next: 'refuse', reason };
}

/** 303 means "look there" for any method; 301 and 302 do for POST, since every client has always done so. */
function turnsIntoGet(method: string, status: number): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

function without(headers: readonly string[], dropped: (name: string) => boolean): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!dropped(headers[i] as string)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept.length === headers.length ? headers : kept;
}
