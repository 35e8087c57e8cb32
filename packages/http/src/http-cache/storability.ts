import { CacheControl } from './cache-control.ts';
import { requestField, responseField, type StoredFields } from './fields.ts';
import { hasFreshness } from './freshness.ts';
import type { CacheMode } from './stored-response.ts';
import { varyFields } from './vary.ts';

/** What is known of a request and its answer when the question is whether to keep it. */
export interface Exchange {
  readonly method: string;
  /** Flat list of lower-case names and values. */
  readonly requestHeaders: readonly string[];
  /** Whether the request carried credentials, in its headers or added later. */
  readonly authorized: boolean;
  readonly status: number;
  readonly headers: Readonly<StoredFields>;
  /** What was asked for: origin, path and query. */
  readonly url: string;
}

/** Statuses whose caching rules are known here, for `must-understand` (RFC 9111, section 5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504,
]);

/** Whether an answer may be kept (RFC 9111, section 3). */
export function isStorable(exchange: Exchange, mode: CacheMode): boolean {
  const { method, requestHeaders, status, headers } = exchange;
  if (status < 200 || status === 304) return false;
  const asked = new CacheControl(requestField(requestHeaders, 'cache-control'));
  const control = new CacheControl(responseField(headers, 'cache-control'));
  if (method === 'POST' ? !answersGet(exchange, control, mode) : method !== 'GET') return false;
  const ranged = requestField(requestHeaders, 'range') !== undefined;
  // Only what says that it is the whole, or which part it is, can be told from the answer to another range.
  if (ranged ? status !== 200 && status !== 206 : status === 206) return false;
  if (asked.has('no-store') || forbidsStoring(control, status)) return false;
  if (mode === 'shared' && control.isUnqualified('private')) return false;
  if (mode === 'shared' && exchange.authorized && !allowsAuthorized(control)) return false;
  if (varyFields(headers) === undefined) return false;
  return hasFreshness(status, control, mode, Object.hasOwn(headers, 'expires'));
}

/** Whether an answer to POST says that it is what GET would be given, and for how long (RFC 9110, section 9.3.3). */
function answersGet({ status, headers, url }: Exchange, control: CacheControl, mode: CacheMode): boolean {
  const location = responseField(headers, 'content-location');
  if (status !== 200 || location === undefined || !URL.canParse(location, url)) return false;
  if (new URL(location, url).href !== new URL(url).href) return false;
  return control.has('max-age') || (mode === 'shared' && control.has('s-maxage')) || Object.hasOwn(headers, 'expires');
}

function forbidsStoring(control: CacheControl, status: number): boolean {
  if (control.has('must-understand')) return !UNDERSTOOD.has(status);
  return control.has('no-store');
}

/** What lets a shared cache keep an answer that was given to somebody (RFC 9111, section 3.5). */
export function allowsAuthorized(control: CacheControl): boolean {
  return control.has('public') || control.has('must-revalidate') || control.has('s-maxage');
}
