/** Header fields as Node, Fastify and Express have them, as `headersDistinct` of Node, or a `Headers`. */
export type IncomingHeaders =
  { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Reads a field that must occur exactly once. `malformed`: it occurs several times, and it would be ambiguous which one was
 * signed. (Lines that Node has joined cannot be told apart here. The joined value is not valid in any of these fields but
 * `webhook-signature`, which is a list of signatures anyway.)
 */
export function readSingleHeader(
  headers: IncomingHeaders,
  name: string,
): { readonly value: string; readonly problem?: undefined } | { readonly problem: 'missing' | 'malformed' } {
  const found = isFetchHeaders(headers) ? headers.get(name) : headers[name];
  const value: unknown = Array.isArray(found) && found.length === 1 ? found[0] : found;
  if (value === undefined || value === null || value === '') return { problem: 'missing' };
  return typeof value === 'string' ? { value } : { problem: 'malformed' };
}

function isFetchHeaders(headers: IncomingHeaders): headers is { get(name: string): string | null } {
  return typeof headers['get' as keyof IncomingHeaders] === 'function';
}
