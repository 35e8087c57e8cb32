import type { Clock } from '@macadam/core';
import type { RawHeaders } from '../dispatcher.ts';
import type { PreparedRequest } from '../request.ts';
import { requestField, type StoredFields } from './fields.ts';
import { exchangeOf, type Keeping } from './record.ts';
import { usefulForMs } from './reuse.ts';
import { isStorable } from './storability.ts';

/**
 * What is done with an answer besides streaming it to its reader: it is copied, since it may be kept, or is read whole, since
 * it is needed to decide about what is kept.
 */
export type CaptureRule = (request: PreparedRequest, status: number, headers: RawHeaders) => 'copy' | 'read' | undefined;

/** The rule: what may be kept and would be of use is copied, unless it says that it is larger than `maxBytes`. */
export function captureRule(keeping: Keeping, maxBytes: number, clock: Clock): CaptureRule {
  return (request, status, headers) => {
    const { method } = request;
    if (method === 'HEAD' || status === 304) return 'read';
    if ((method !== 'GET' && method !== 'POST') || Number(headers['content-length']) > maxBytes) return undefined;
    const fields = headers as StoredFields;
    if (!isStorable(exchangeOf(request, status, fields, keeping), keeping.mode)) return undefined;
    const now = clock.now();
    const answer = { status, headers: fields, requestedAtMs: now, receivedAtMs: now };
    if (usefulForMs(answer, now, keeping.mode) <= 0) return undefined;
    // The rest of a part is of no use to a reader until both are put together.
    return status === 206 && requestField(request.headers, 'if-range') !== undefined ? 'read' : 'copy';
  };
}
