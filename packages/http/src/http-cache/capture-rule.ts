import type { Clock } from '@macadam/core';
import type { RawHeaders } from '../dispatcher.ts';
import type { PreparedRequest } from '../request.ts';
import { requestField, type StoredFields } from './fields.ts';
import { usableForMs } from './reuse.ts';
import { isStorable } from './storability.ts';
import { exchangeOf, type StorageContext } from './storage.ts';

/**
 * Decides, when the headers of a streamed response have come, how the cache gets its body. `copy`: the body is copied while
 * its reader reads it, and may be stored. `read`: the body is read whole before the response is handed out, because the
 * cache needs it to build the response. Undefined: the body is only streamed.
 */
export type CaptureRule = (
  request: PreparedRequest,
  status: number,
  headers: RawHeaders,
) => 'copy' | 'read' | undefined;

/** The rule of one client. A body whose `Content-Length` is above the limit of the storage is not captured. */
export function captureRule(storage: StorageContext, clock: Clock): CaptureRule {
  return (request, status, headers) => {
    const { method } = request;
    if (method === 'HEAD' || status === 304) return 'read';
    if ((method !== 'GET' && method !== 'POST') || Number(headers['content-length']) > storage.maxBytes)
      return undefined;
    const fields = headers as StoredFields;
    if (!isStorable(exchangeOf(request, status, fields, storage), storage.mode)) return undefined;
    const now = clock.now();
    const response = { status, headers: fields, requestedAtMs: now, receivedAtMs: now };
    if (usableForMs(response, now, storage.mode) <= 0) return undefined;
    // The remainder of a stored part is combined with that part before a reader gets it.
    return status === 206 && requestField(request.headers, 'if-range') !== undefined ? 'read' : 'copy';
  };
}
