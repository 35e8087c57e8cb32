/** Whether a response may be stored (RFC 9111, section 3). Pure decisions. */
import { CacheControl } from './cache-control.ts';
import { requestField, responseField, type StoredFields } from './fields.ts';
import { isHeuristicallyCacheable } from './freshness.ts';
import type { CacheMode } from './stored-response.ts';
import { varyFields } from './vary.ts';

/** A request and its response, as far as the decision needs them. */
export interface Exchange {
  readonly method: string;
  /** Flat list of lower-case names and values. */
  readonly requestHeaders: readonly string[];
  /** Whether the request carries credentials, in its headers or added by `auth`. */
  readonly isAuthorized: boolean;
  /** Names of headers that the request was sent with, but that it was not matched with. */
  readonly unmatchedHeaders: ReadonlySet<string>;
  readonly status: number;
  readonly headers: Readonly<StoredFields>;
  /** The target URL; undefined when it is unknown. */
  readonly url: string | undefined;
}

/** Statuses whose caching rules this cache implements, for `must-understand` (RFC 9111, section 5.2.2.3). */
const UNDERSTOOD_STATUSES: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504,
]);

export function isStorable(exchange: Exchange, mode: CacheMode): boolean {
  const { method, requestHeaders, status, headers } = exchange;
  if (status < 200 || status === 304) return false;
  const requestControl = new CacheControl(requestField(requestHeaders, 'cache-control'));
  const control = new CacheControl(responseField(headers, 'cache-control'));
  if (method === 'POST' ? !isPostForGet(exchange, control, mode) : method !== 'GET') return false;
  const hasRange = requestField(requestHeaders, 'range') !== undefined;
  // A range request may also be answered with the whole representation (200). Other responses to it, such as a 416, are
  // about that range only.
  if (hasRange ? status !== 200 && status !== 206 : status === 206) return false;
  if (requestControl.has('no-store') || forbidsStoring(control, status)) return false;
  if (mode === 'shared' && control.isUnqualified('private')) return false;
  if (mode === 'shared' && exchange.isAuthorized && !allowsAuthorized(control)) return false;
  const selecting = varyFields(headers);
  if (selecting === undefined || selecting.some((name) => exchange.unmatchedHeaders.has(name))) return false;
  return isCacheable(status, control, mode, Object.hasOwn(headers, 'expires'));
}

/** Whether a shared cache may store the response to a request with credentials (RFC 9111, section 3.5). */
export function allowsAuthorized(control: CacheControl): boolean {
  return control.has('public') || control.has('must-revalidate') || control.has('s-maxage');
}

/** Whether a directive, `Expires` or the status allows storing: the last condition of RFC 9111, section 3. */
function isCacheable(status: number, control: CacheControl, mode: CacheMode, hasExpires: boolean): boolean {
  if (control.has('public') || control.has('max-age') || hasExpires) return true;
  if (control.has(mode === 'private' ? 'private' : 's-maxage')) return true;
  return isHeuristicallyCacheable(status);
}

/** Whether a response to POST may answer a later GET: it has explicit freshness and names its own URL (RFC 9110, section 9.3.3). */
function isPostForGet({ status, headers, url }: Exchange, control: CacheControl, mode: CacheMode): boolean {
  const location = responseField(headers, 'content-location');
  if (status !== 200 || location === undefined || !URL.canParse(location, url)) return false;
  if (new URL(location, url).href !== url) return false;
  return control.has('max-age') || (mode === 'shared' && control.has('s-maxage')) || Object.hasOwn(headers, 'expires');
}

/** `must-understand` overrides `no-store` for statuses that the cache understands (RFC 9111, section 5.2.2.3). */
function forbidsStoring(control: CacheControl, status: number): boolean {
  if (control.has('must-understand')) return !UNDERSTOOD_STATUSES.has(status);
  return control.has('no-store');
}
