import { responseField, type StoredFields } from './fields.ts';

/** Methods that change nothing (RFC 9110, section 9.2.1, and QUERY). An unknown method may change anything. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method);
}

/** What the URLs of a service begin with at one of its endpoints. */
export interface EndpointBase {
  readonly origin: string;
  readonly pathPrefix: string;
}

/** The response to an unsafe request. */
export interface UnsafeResponse {
  readonly status: number;
  readonly fields: Readonly<StoredFields>;
  readonly redirects: readonly string[];
  /** The endpoints that may have answered. */
  readonly endpoints: readonly EndpointBase[];
}

/**
 * The URLs that the response to an unsafe request invalidates (RFC 9111, section 4.4): the target URL, and the URLs of the
 * same origin that followed redirects, `Location` and `Content-Location` name. All endpoints of a service are one to the
 * cache: a URL at any of them counts as the same path below `baseUrl`, the URL of the first endpoint.
 *
 * @param baseUrl - with the authority that the request names
 */
export function invalidatedUrls(
  baseUrl: string,
  path: string,
  { status, fields, redirects, endpoints }: UnsafeResponse,
): string[] {
  // A redirect is a non-error response itself, whatever status follows it.
  if (redirects.length === 0 && (status < 200 || status >= 400)) return [];
  const urls = new Set([new URL(baseUrl + path).href]);
  const bases = [endpointBaseOf(baseUrl), ...endpoints];
  const named = ['location', 'content-location'].map((name) => responseField(fields, name));
  for (const reference of [...redirects, ...named]) {
    if (reference === undefined) continue;
    for (const base of bases) {
      const namedPath = pathWithin(base, path, reference);
      if (namedPath !== undefined) urls.add(new URL(baseUrl + namedPath).href);
    }
  }
  return [...urls];
}

export function endpointBaseOf(baseUrl: string): EndpointBase {
  const { origin } = new URL(baseUrl);
  return { origin, pathPrefix: baseUrl.slice(origin.length) };
}

/** The path below an endpoint that a URL reference in the response to `path` leads to; undefined outside the endpoint. */
function pathWithin({ origin, pathPrefix }: EndpointBase, path: string, reference: string): string | undefined {
  const target = origin + pathPrefix + path;
  if (!URL.canParse(reference, target)) return undefined;
  const url = new URL(reference, target);
  if (url.origin !== origin || !`${url.pathname}/`.startsWith(`${pathPrefix}/`)) return undefined;
  return url.pathname.slice(pathPrefix.length) + url.search;
}
