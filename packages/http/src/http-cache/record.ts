import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { CacheControl } from './cache-control.ts';
import { requestField, responseField, type StoredFields } from './fields.ts';
import { isStreamed } from '../stream/http-stream.ts';
import { isWhole, partOf } from './ranges.ts';
import { usefulForMs } from './reuse.ts';
import { isStorable, type Exchange } from './storability.ts';
import { storableFields, type CacheMode, type StoredResponse } from './stored-response.ts';
import type { CacheCall } from './cache-call.ts';
import { selectingFields, varyFields } from './vary.ts';

/** When a request went out and when its answer was there. */
export interface Times {
  readonly requestedAtMs: number;
  readonly receivedAtMs: number;
}

/** An answer, and when it came. */
export interface Answered {
  readonly response: HttpResponse;
  readonly fields: StoredFields;
  readonly times: Times;
}

/** What a cache keeps, and whose. */
export interface Keeping {
  readonly mode: CacheMode;
  /** What the path of a request follows in its URL. */
  readonly base: string;
  /** Whether credentials are added to requests on their way. */
  readonly authorizes: boolean;
}

/** What is to be kept of an answer; undefined when it may not be kept, or would be of no use. */
export function recordOf(
  { request, asker }: Pick<CacheCall, 'asker' | 'request'>,
  { response, fields, times }: Answered,
  keeping: Keeping,
): StoredResponse | undefined {
  const { status } = response;
  const { mode } = keeping;
  if (asker === undefined || response.bodyTruncated || isStreamed(response)) return undefined;
  if (!isStorable(exchangeOf(request, status, fields, keeping), mode)) return undefined;
  const body = new Uint8Array(response.bytes());
  const part = status === 206 ? partOf(fields, body.length) : undefined;
  if (status === 206 && part === undefined) return undefined;
  const control = new CacheControl(responseField(fields, 'cache-control'));
  const headers = storableFields(fields, control, mode, times.receivedAtMs);
  // A part that is all there is answers every request.
  const isAll = part !== undefined && isWhole(part);
  if (isAll) delete headers['content-range'];
  const record = {
    status: isAll ? 200 : status,
    headers,
    body,
    ...times,
    selecting: selectingFields(varyFields(fields) ?? [], asker.headers),
    ...asker.credentials,
    outdated: false,
    ...(part !== undefined && !isAll && { part }),
  };
  return usefulForMs(record, times.receivedAtMs, mode) > 0 ? record : undefined;
}

/** A request and its answer, as the question whether to keep it sees them. */
export function exchangeOf(
  { method, headers: requestHeaders, path }: PreparedRequest,
  status: number,
  headers: StoredFields,
  { base, authorizes }: Keeping,
): Exchange {
  const authorized = authorizes || requestField(requestHeaders, 'authorization') !== undefined;
  return { method, requestHeaders, authorized, status, headers, url: base + path };
}
