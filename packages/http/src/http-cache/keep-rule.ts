import type { Clock } from '@macadam/core';
import type { RawHeaders } from '../dispatcher.ts';
import type { PreparedRequest } from '../request.ts';
import type { StoredFields } from './fields.ts';
import { exchangeOf, type Keeping } from './record.ts';
import { usefulForMs } from './reuse.ts';
import { isStorable } from './storability.ts';

/** Whether an answer is read whole, because it may be kept or is needed to decide about what is kept. */
export type KeepRule = (request: PreparedRequest, status: number, headers: RawHeaders) => boolean;

/**
 * The rule for answers that are streamed otherwise: what may be kept and would be of use. What is larger than `maxBytes` is
 * streamed, and not kept.
 */
export function keepRule(keeping: Keeping, maxBytes: number, clock: Clock): KeepRule {
  return (request, status, headers) => {
    const { method } = request;
    if (method === 'HEAD' || status === 304) return true;
    if ((method !== 'GET' && method !== 'POST') || Number(headers['content-length']) > maxBytes) return false;
    const fields = headers as StoredFields;
    if (!isStorable(exchangeOf(request, status, fields, keeping), keeping.mode)) return false;
    const now = clock.now();
    return usefulForMs({ status, headers: fields, requestedAt: now, receivedAt: now }, now, keeping.mode) > 0;
  };
}
