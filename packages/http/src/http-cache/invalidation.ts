import { responseField, type StoredFields } from './fields.ts';

/** Methods that change nothing (RFC 9110, section 9.2.1, and QUERY). What is not known may change anything. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method);
}

/** One of the places a service is at: what its URLs begin with there. */
export interface Place {
  readonly origin: string;
  readonly pathPrefix: string;
}

/** What an unsafe request was answered. */
export interface Changed {
  readonly status: number;
  readonly fields: Readonly<StoredFields>;
  readonly redirects: readonly string[];
  /** Where it may have been answered, besides the first of them. */
  readonly places: readonly Place[];
}

/**
 * The URLs that are outdated after an unsafe request was answered (RFC 9111, section 4.4): its own, and those that
 * `Location` and `Content-Location` name on the same origin, in a redirect that was followed too. On others a server has no
 * say; but all places of a service are one to the cache, which knows its URLs by those of the first, `base`.
 */
export function outdatedUrls(base: string, path: string, { status, fields, redirects, places }: Changed): string[] {
  // What was redirected was no failure, whatever the place it led to had to say.
  if (redirects.length === 0 && (status < 200 || status >= 400)) return [];
  const urls = new Set([new URL(base + path).href]);
  const { origin } = new URL(base);
  const all = [{ origin, pathPrefix: base.slice(origin.length) }, ...places];
  const named = ['location', 'content-location'].map((name) => responseField(fields, name));
  for (const target of [...redirects, ...named]) {
    for (const place of all) {
      const told = target === undefined ? undefined : pathAt(place, path, target);
      if (told !== undefined) urls.add(new URL(base + told).href);
    }
  }
  return [...urls];
}

/** What a URL that was named in the answer to a request for `path` leads to at the same place; undefined for elsewhere. */
function pathAt({ origin, pathPrefix }: Place, path: string, target: string): string | undefined {
  const asked = origin + pathPrefix + path;
  if (!URL.canParse(target, asked)) return undefined;
  const url = new URL(target, asked);
  if (url.origin !== origin || !`${url.pathname}/`.startsWith(`${pathPrefix}/`)) return undefined;
  return url.pathname.slice(pathPrefix.length) + url.search;
}
