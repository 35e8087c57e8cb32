/**
 * Partial content: which range requests a stored response satisfies, and which two parts combine to a larger one (RFC 9110,
 * section 14; RFC 9111, sections 3.3 and 3.4). Pure decisions. Only a single range of bytes is handled; several ranges, other
 * units, and encoded content, of which only the decoded form is stored, are left to the origin.
 */
import { isHeaderText } from '../headers.ts';
import { requestField, responseField, type StoredFields } from './fields.ts';
import { updatedFields, type StoredResponse } from './stored-response.ts';

/** The range of bytes that a stored partial response (206) contains. */
export interface StoredPart {
  /** Position of the first byte, from 0. */
  readonly first: number;
  /** Position of the last byte, inclusive. */
  readonly last: number;
  /** Size of the complete representation in bytes; null if the server does not know it. */
  readonly size: number | null;
}

/** A range that is cut out of a stored response. */
export interface Slice extends StoredPart {
  readonly bytes: Uint8Array;
}

/**
 * The part that a 206 contains. Undefined for one that must not be stored: several ranges, encoded content, or a body whose
 * length contradicts `Content-Range`, because it is unknown which of the two is wrong.
 */
export function parseContentRange(fields: Readonly<StoredFields>, length: number): StoredPart | undefined {
  if (isEncoded(fields)) return undefined;
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/i.exec(responseField(fields, 'content-range') ?? '');
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const size = match[3] === undefined ? null : Number(match[3]);
  if (last < first || last - first + 1 !== length || (size !== null && last >= size)) return undefined;
  return { first, last, size };
}

/** The range of a `Range` header, cut out of a stored response; undefined when the response does not contain all of it. */
export function sliceOf(stored: StoredResponse, range: string): Slice | undefined {
  const available = availablePart(stored);
  const wanted = available === undefined ? undefined : resolveRange(range, available.size);
  if (available === undefined || wanted === undefined) return undefined;
  if (wanted.first < available.first || wanted.last > available.last) return undefined;
  const bytes = stored.body.subarray(wanted.first - available.first, wanted.last - available.first + 1);
  return { ...wanted, size: available.size, bytes };
}

/** The `Range` header of a request: only GET has a meaning for it (RFC 9110, section 14.2). */
export function requestedRange({
  method,
  headers,
}: {
  readonly method: string;
  readonly headers: readonly string[];
}): string | undefined {
  return method === 'GET' ? requestField(headers, 'range') : undefined;
}

/** Whether a stored response contains what a request with this `Range` header, or with none, wants. */
export function satisfiesRange(stored: StoredResponse, range: string | undefined): boolean {
  return range === undefined ? stored.part === undefined : sliceOf(stored, range) !== undefined;
}

/**
 * Combines a stored response with a newer part of the same representation (RFC 9111, section 3.4); undefined when both
 * lack the same strong validator, leave a gap, or are longer than `maxBytes` together.
 */
export function combineParts(
  stored: StoredResponse,
  newer: StoredResponse,
  maxBytes: number,
): StoredResponse | undefined {
  const [a, b] = [availablePart(stored), availablePart(newer)];
  if (newer.part === undefined || a === undefined || b === undefined) return undefined;
  const etag = strongTag(stored);
  if (etag === undefined || etag !== strongTag(newer) || (a.size ?? b.size) !== (b.size ?? a.size)) return undefined;
  if (a.last + 1 < b.first || b.last + 1 < a.first) return undefined;
  const part = { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last), size: a.size ?? b.size };
  const length = part.last - part.first + 1;
  if (length > maxBytes) return undefined;
  const body = new Uint8Array(length);
  body.set(stored.body, a.first - part.first);
  body.set(newer.body, b.first - part.first);
  const { part: _, ...combined } = { ...newer, body };
  const headers = updatedFields(stored.headers, newer.headers);
  headers['content-length'] = String(body.length);
  if (isComplete(part)) {
    delete headers['content-range'];
    return { ...combined, status: 200, headers };
  }
  headers['content-range'] = contentRange(part);
  return { ...combined, status: 206, headers, part };
}

/**
 * The headers that request what a stored part lacks, or everything if the representation has changed. Undefined unless the
 * part begins at the first byte and has a strong validator, and the whole has a known size of up to `maxBytes`.
 */
export function remainderHeaders(
  { part, ...stored }: StoredResponse,
  maxBytes: number,
): Record<string, string> | undefined {
  const etag = strongTag(stored);
  if (part === undefined || part.first !== 0 || part.size === null || etag === undefined || isComplete(part)) {
    return undefined;
  }
  if (part.size > maxBytes || !isHeaderText(etag)) return undefined;
  return { range: `bytes=${part.last + 1}-`, 'if-range': etag };
}

/** Whether a part is the complete representation. */
export function isComplete({ first, last, size }: StoredPart): boolean {
  return first === 0 && last + 1 === size;
}

/** The value of `Content-Range` for a part. */
export function contentRange({ first, last, size }: StoredPart): string {
  return `bytes ${first}-${last}/${size ?? '*'}`;
}

/** The bytes that can be cut out of a stored response; undefined when none can. */
function availablePart({ status, headers, body, part }: StoredResponse): StoredPart | undefined {
  if (part !== undefined) return part;
  if (status !== 200 || isEncoded(headers)) return undefined;
  return { first: 0, last: body.length - 1, size: body.length };
}

/** The bytes that a `Range` header selects; undefined when it is not a single satisfiable range of bytes. */
function resolveRange(range: string, size: number | null): { first: number; last: number } | undefined {
  const match = /^\s*bytes\s*=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(range);
  const [from, to] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (from === '' && to === '') return undefined;
  if (from !== '' && to !== '') {
    const last = size === null ? Number(to) : Math.min(Number(to), size - 1);
    return last < Number(from) ? undefined : { first: Number(from), last };
  }
  if (size === null) return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  return first >= size ? undefined : { first, last: size - 1 };
}

function isEncoded(fields: Readonly<StoredFields>): boolean {
  return responseField(fields, 'content-encoding') !== undefined;
}

function strongTag({ headers }: Pick<StoredResponse, 'headers'>): string | undefined {
  const etag = responseField(headers, 'etag');
  return etag?.startsWith('"') === true ? etag : undefined;
}
