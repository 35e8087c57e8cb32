import { responseField, type StoredFields } from './fields.ts';

/** Methods that change nothing (RFC 9110, section 9.2.1, and QUERY). What is not known may change anything. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

export function isUnsafe(method: string): boolean {
  return !SAFE_METHODS.has(method);
}

/**
 * The URLs that are outdated after an unsafe request was answered (RFC 9111, section 4.4): its own, and those that
 * `Location` and `Content-Location` name on the same origin. On others a server has no say.
 */
export function outdatedUrls(origin: string, path: string, status: number, fields: Readonly<StoredFields>): string[] {
  if (status < 200 || status >= 400) return [];
  const own = origin + path;
  const urls = [own];
  for (const name of ['location', 'content-location']) {
    const target = responseField(fields, name);
    if (target === undefined || !URL.canParse(target, own)) continue;
    const url = new URL(target, own);
    if (url.origin === new URL(origin).origin) urls.push(origin + url.pathname + url.search);
  }
  return urls;
}
