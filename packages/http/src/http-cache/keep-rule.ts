import type { RawHeaders } from '../dispatcher.ts';
import type { PreparedRequest } from '../request.ts';
import type { StoredFields } from './fields.ts';
import { exchangeOf, type Keeping } from './record.ts';
import { isStorable } from './storability.ts';

/** Whether an answer is read whole, because it may be kept or is needed to decide about what is kept. */
export type KeepRule = (request: PreparedRequest, status: number, headers: RawHeaders) => boolean;

/** The rule for answers that are streamed otherwise. What is larger than `maxBytes` is streamed, and not kept. */
export function keepRule(keeping: Keeping, maxBytes: number): KeepRule {
  return (request, status, headers) => {
    const { method } = request;
    if (method === 'HEAD' || (method === 'GET' && status >= 300)) return true;
    if ((method !== 'GET' && method !== 'POST') || Number(headers['content-length']) > maxBytes) return false;
    return isStorable(exchangeOf(request, status, headers as StoredFields, keeping), keeping.mode);
  };
}
