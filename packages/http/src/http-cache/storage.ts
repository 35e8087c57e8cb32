/** Makes stored responses of received ones (RFC 9111, section 3). */
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { isStreamed } from '../stream/http-stream.ts';
import type { CacheCall } from './cache-call.ts';
import { CacheControl } from './cache-control.ts';
import { requestField, responseField, type StoredFields } from './fields.ts';
import { isComplete, parseContentRange } from './ranges.ts';
import { usableForMs } from './reuse.ts';
import { isStorable, type Exchange } from './storability.ts';
import { storableFields, type CacheMode, type ExchangeTimes, type StoredResponse } from './stored-response.ts';
import { targetUrlOf } from './target.ts';
import { selectingFields, varyFields } from './vary.ts';

/** A response and when it was received. */
export interface ReceivedResponse {
  readonly response: HttpResponse;
  readonly fields: StoredFields;
  readonly times: ExchangeTimes;
}

/** What a client determines about all responses that its cache stores. */
export interface StorageContext {
  readonly mode: CacheMode;
  /** The URL below which the cache knows the paths of requests. */
  readonly baseUrl: string;
  /** Whether `auth` adds credentials to requests. */
  readonly addsCredentials: boolean;
  /** Names of headers that are added to a request after it was matched with stored responses. */
  readonly unmatchedHeaders: ReadonlySet<string>;
  /** The longest body that is stored, in bytes. */
  readonly maxBytes: number;
}

/** The response to store; undefined when it must not be stored, or could not be used again. */
export function toStoredResponse(
  { request, presented }: Pick<CacheCall, 'presented' | 'request'>,
  { response, fields, times }: ReceivedResponse,
  storage: StorageContext,
): StoredResponse | undefined {
  const { status } = response;
  const { mode } = storage;
  if (presented === undefined || response.bodyTruncated || isStreamed(response)) return undefined;
  if (!isStorable(exchangeOf(request, status, fields, storage), mode)) return undefined;
  const body = new Uint8Array(response.bytes());
  const part = status === 206 ? parseContentRange(fields, body.length) : undefined;
  if (status === 206 && part === undefined) return undefined;
  const control = new CacheControl(responseField(fields, 'cache-control'));
  const headers = storableFields(fields, control, mode, times.receivedAtMs);
  // A part that is the complete representation is stored as a 200, which answers every request.
  const isWhole = part !== undefined && isComplete(part);
  if (isWhole) delete headers['content-range'];
  const stored = {
    status: isWhole ? 200 : status,
    headers,
    body,
    ...times,
    selecting: selectingFields(varyFields(fields) ?? [], presented.headers),
    ...presented.credentials,
    outdated: false,
    ...(part !== undefined && !isWhole && { part }),
  };
  return usableForMs(stored, times.receivedAtMs, mode) > 0 ? stored : undefined;
}

export function exchangeOf(
  request: PreparedRequest,
  status: number,
  headers: StoredFields,
  { baseUrl, addsCredentials, unmatchedHeaders }: StorageContext,
): Exchange {
  const { method, headers: requestHeaders } = request;
  const isAuthorized = addsCredentials || requestField(requestHeaders, 'authorization') !== undefined;
  const url = targetUrlOf(request, baseUrl);
  return { method, requestHeaders, isAuthorized, unmatchedHeaders, status, headers, url };
}
