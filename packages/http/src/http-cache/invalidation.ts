import { responseField, type StoredFields } from './fields.ts';

/** Methods that change nothing (RFC 9110, section 9.2.1, and QUERY). What is not known may change anything. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method);
}

/**
 * The URLs that are outdated after an unsafe request was answered (RFC 9111, section 4.4): its own, and those that
 * `Location` and `Content-Location` name on the same origin, in a redirect that was followed too. On others a server has no
 * say.
 */
export function outdatedUrls(
  own: string,
  status: number,
  fields: Readonly<StoredFields>,
  redirects: readonly string[],
): string[] {
  // What was redirected was no failure, whatever the place it led to had to say.
  if (redirects.length === 0 && (status < 200 || status >= 400)) return [];
  const urls = new Set([own]);
  const { origin } = new URL(own);
  const named = ['location', 'content-location'].map((name) => responseField(fields, name));
  for (const target of [...redirects, ...named]) {
    if (target === undefined || !URL.canParse(target, own)) continue;
    const url = new URL(target, own);
    if (url.origin === origin) urls.add(origin + url.pathname + url.search);
  }
  return [...urls];
}
