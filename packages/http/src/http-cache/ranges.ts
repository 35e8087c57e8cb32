/**
 * Parts of a representation: which of them a stored response can answer, and which two make a larger one (RFC 9110,
 * section 14; RFC 9111, sections 3.3 and 3.4). Decisions, with no effect. What is not plain is left to the origin:
 * several ranges at a time, other units than bytes, encoded content, of which only the decoded form is kept.
 */
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

/** Bytes cut out of a stored response. */
export interface Slice extends StoredPart {
  readonly bytes: Uint8Array;
}

/**
 * The part a 206 holds; undefined for one that may not be kept: of several ranges, encoded, or with a body that is not
 * as long as it says. Believing either of two lengths that contradict each other would be a guess.
 */
export function partOf(fields: Readonly<StoredFields>, length: number): StoredPart | undefined {
  if (isEncoded(fields)) return undefined;
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/i.exec(responseField(fields, 'content-range') ?? '');
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const size = match[3] === undefined ? null : Number(match[3]);
  if (last < first || last - first + 1 !== length || (size !== null && last >= size)) return undefined;
  return { first, last, size };
}

/** What a `Range` header asks for, cut out of a stored response; undefined when that does not hold all of it. */
export function sliceOf(stored: StoredResponse, range: string): Slice | undefined {
  const held = heldBy(stored);
  const asked = held === undefined ? undefined : resolved(range, held.size);
  if (held === undefined || asked === undefined || asked.first < held.first || asked.last > held.last) return undefined;
  const bytes = stored.body.subarray(asked.first - held.first, asked.last - held.first + 1);
  return { ...asked, size: held.size, bytes };
}

/** What part a request asks for: only GET can (RFC 9110, section 14.2). */
export function rangeOf({ method, headers }: { method: string; headers: readonly string[] }): string | undefined {
  return method === 'GET' ? requestField(headers, 'range') : undefined;
}

/** Whether a stored response can answer a request with this `Range` header, or with none. */
export function answers(stored: StoredResponse, range: string | undefined): boolean {
  return range === undefined ? stored.part === undefined : sliceOf(stored, range) !== undefined;
}

/**
 * What a stored response and a newer part of the same representation are together; undefined when they do not belong
 * together. Only a strong validator that both have says that they do (RFC 9111, section 3.4).
 */
export function combined(stored: StoredResponse, newer: StoredResponse): StoredResponse | undefined {
  const [a, b] = [heldBy(stored), heldBy(newer)];
  if (newer.part === undefined || a === undefined || b === undefined) return undefined;
  const etag = strongTag(stored);
  if (etag === undefined || etag !== strongTag(newer) || (a.size ?? b.size) !== (b.size ?? a.size)) return undefined;
  if (a.last + 1 < b.first || b.last + 1 < a.first) return undefined;
  const part = { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last), size: a.size ?? b.size };
  const body = new Uint8Array(part.last - part.first + 1);
  body.set(stored.body, a.first - part.first);
  body.set(newer.body, b.first - part.first);
  const { part: _, ...both } = { ...newer, body };
  const headers = updatedFields(stored.headers, newer.headers);
  headers['content-length'] = String(body.length);
  if (isWhole(part)) {
    delete headers['content-range'];
    return { ...both, status: 200, headers };
  }
  headers['content-range'] = contentRange(part);
  return { ...both, status: 206, headers, part };
}

/** The headers that ask for what is missing of a part, or for all if it has changed; undefined when that is not known. */
export function remainderHeaders({ part, ...stored }: StoredResponse): Record<string, string> | undefined {
  const etag = strongTag(stored);
  if (part === undefined || part.first !== 0 || part.size === null || etag === undefined || isWhole(part))
    return undefined;
  return { range: `bytes=${part.last + 1}-`, 'if-range': etag };
}

/** Whether a part is all there is. */
export function isWhole({ first, last, size }: StoredPart): boolean {
  return first === 0 && last + 1 === size;
}

/** The value of `Content-Range` for a part. */
export function contentRange({ first, last, size }: StoredPart): string {
  return `bytes ${first}-${last}/${size ?? '*'}`;
}

function heldBy({ status, headers, body, part }: StoredResponse): StoredPart | undefined {
  if (part !== undefined) return part;
  if (status !== 200 || isEncoded(headers)) return undefined;
  return { first: 0, last: body.length - 1, size: body.length };
}

/** The bytes a `Range` header means; undefined for what is not one range of bytes, or is not there. */
function resolved(range: string, size: number | null): { first: number; last: number } | undefined {
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
