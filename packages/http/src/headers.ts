import { OptionsError, withheld } from '@macadam/core';
import { assertNamedValues } from './named-values.ts';

/**
 * Request headers by name, in any case. `undefined` omits a header of the client. The remaining time, priority and attempt number
 * that internal peers are sent can be set, but not omitted.
 */
export type RequestHeaders = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Token characters (RFC 9110, section 5.6.2). */
const NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;

/** Headers that the connection sets. Setting them by hand would allow request smuggling. */
export const TRANSPORT_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Merges `own` over `base`, as a flat list of lower-case names and values, which is what the transport takes.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a name or value that is not allowed; it never shows the value
 */
export function mergeHeaders(base: readonly string[], own: RequestHeaders, option = 'request.headers'): string[] {
  assertNamedValues(option, own);
  const named = new Map<string, string | readonly string[] | undefined>();
  for (const name of Object.keys(own)) {
    const lower = name.toLowerCase();
    if (!isHeaderName(name))
      throw new OptionsError(
        `${option}[${JSON.stringify(name)}]`,
        withheld(own[name]),
        'under a header name (RFC 9110)',
      );
    const allowed = restrictionOf(lower, own[name]);
    if (allowed !== undefined) throw new OptionsError(`${option}.${lower}`, withheld(own[name]), allowed);
    named.set(lower, checkedValue(`${option}.${lower}`, own[name]));
  }
  const merged: string[] = [];
  for (let i = 0; i < base.length; i += 2) {
    if (!named.has(base[i] as string)) merged.push(base[i] as string, base[i + 1] as string);
  }
  for (const [name, value] of named) {
    if (typeof value === 'string') merged.push(name, value);
    else if (value !== undefined) for (const one of value) merged.push(name, one);
  }
  return merged;
}

/** What a header may be, in words, if `value` is not allowed for it; undefined if it is. */
function restrictionOf(name: string, value: unknown): string | undefined {
  if (TRANSPORT_HEADERS.has(name)) return 'left out: the connection sets it';
  if (name === 'host' && typeof value === 'object') return 'one text: a request goes to one host';
  // HTTP/2 allows no other value (RFC 9113, section 8.2.2): undici would fail every request on the connection.
  if (name === 'te' && value !== undefined && value !== 'trailers') return '"trailers": the connection sets all else';
  return undefined;
}

/**
 * Adds the content type of the body, unless the caller set or omitted one. Without `type` (a multipart form) it removes one: the
 * form sets its own when it is sent, with the boundary between its parts.
 */
export function withContentType(
  headers: readonly string[],
  type: string | undefined,
  own: RequestHeaders = {},
): readonly string[] {
  if (type === undefined) return mergeHeaders(headers, { 'content-type': undefined });
  if (hasHeader(headers, 'content-type')) return headers;
  return omitsHeader(own, 'content-type') ? headers : [...headers, 'content-type', type];
}

/** Whether a flat list of lower-case names and values has `name`, at or after the index `from`. */
export function hasHeader(headers: readonly string[], name: string, from = 0): boolean {
  for (let i = from; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}

function omitsHeader(headers: RequestHeaders, name: string): boolean {
  return Object.keys(headers).some((own) => own.toLowerCase() === name && headers[own] === undefined);
}

function checkedValue(path: string, value: unknown): string | readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) {
    for (const one of value) assertHeaderValue(path, one);
    return value as readonly string[];
  }
  assertHeaderValue(path, value);
  return value;
}

export function isHeaderName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

/** Throws {@link OptionsError} unless `value` can be sent as the value of a header. */
export function assertHeaderValue(path: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && isHeaderText(value)) return;
  // The value is not shown, because it may be a credential.
  throw new OptionsError(path, withheld(value), 'text without line breaks and other control characters, in Latin-1');
}

/**
 * Visible characters, space, tab and obs-text; above all no line break, which would end the header (section 5.5). Not a regular
 * expression: each one runs in code of its own, and headers of a propagator are checked for every request.
 */
export function isHeaderText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

/** The headers of a response. Names are case-insensitive. Printing it shows no values, since it may contain cookies. */
export class ResponseHeaders implements Iterable<[name: string, value: string]> {
  readonly #raw: Readonly<Record<string, string | string[] | undefined>>;

  constructor(raw: Readonly<Record<string, string | string[] | undefined>>) {
    this.#raw = raw;
  }

  /** The value of a header, or null. Repeated headers are joined with `, `; for cookies use `getSetCookie()`. */
  get(name: string): string | null {
    const value = this.#own(name.toLowerCase());
    if (value === undefined) return null;
    return typeof value === 'string' ? value : value.join(', ');
  }

  /** Whether the response has the header. */
  has(name: string): boolean {
    return this.#own(name.toLowerCase()) !== undefined;
  }

  /** The values of all `Set-Cookie` headers, which cannot be joined because their dates contain commas. */
  getSetCookie(): string[] {
    const value = this.#own('set-cookie');
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : [...value];
  }

  /** Iterates over the headers as `[name, value]`, with lower-case names and repeated headers joined. */
  *[Symbol.iterator](): Iterator<[name: string, value: string]> {
    for (const name of Object.keys(this.#raw)) yield [name, this.get(name) as string];
  }

  #own(name: string): string | string[] | undefined {
    return Object.hasOwn(this.#raw, name) ? this.#raw[name] : undefined;
  }
}
