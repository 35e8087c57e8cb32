import type { PreparedRequest } from '../request.ts';
import { requestField } from './fields.ts';

type Target = Pick<PreparedRequest, 'headers' | 'path'>;

/**
 * The base URL of a request. A `Host` header replaces its authority, because servers may have other content for another host
 * (RFC 9110, section 7.1). Undefined for a `Host` header that is no authority.
 *
 * @param baseUrl - that of the client
 */
export function baseUrlOf({ headers }: Target, baseUrl: string): string | undefined {
  const host = requestField(headers, 'host');
  if (host === undefined) return baseUrl;
  const { protocol, origin } = new URL(baseUrl);
  const named = `${protocol}//${host}`;
  if (!/^[\w.:[\]-]+$/.test(host) || !URL.canParse(named)) return undefined;
  return new URL(named).origin + baseUrl.slice(origin.length);
}

/** The target URL in normal form, so that a URL in `Location` or `Content-Location` is equal to it. */
export function targetUrlOf(request: Target, baseUrl: string): string | undefined {
  const base = baseUrlOf(request, baseUrl);
  return base === undefined ? undefined : new URL(base + request.path).href;
}
