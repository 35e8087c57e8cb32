import { isMacadamError } from '@macadam/core';
import { AttemptsExhaustedError } from '@macadam/resilience';
import { HttpNetworkError, HttpStatusError, type ErrorSubject } from '../errors.ts';
import type { HttpResponse } from '../response.ts';
import type { StoredFields } from './fields.ts';

/** An answer, with the error it came in when its status is outside 2xx. */
export interface Answer {
  readonly response: HttpResponse;
  readonly error: Error | undefined;
}

/** Waits for an answer of any status; rejects only when there is none. */
export async function answerOf(call: Promise<HttpResponse>): Promise<Answer> {
  try {
    return { response: await call, error: undefined };
  } catch (error) {
    const failure = unwrapped(error);
    if (failure instanceof HttpStatusError) return { response: failure.response, error: error as Error };
    throw error;
  }
}

/** How an answer outside 2xx that did not come from the wire reaches the caller: as one that did. */
export function statusError(subject: ErrorSubject, response: HttpResponse): HttpStatusError {
  return new HttpStatusError(subject, response, false, undefined);
}

/** Whether a status is a failure of the origin for which a stale answer may stand in (RFC 5861, section 4). */
export function isFailed(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504);
}

/** Whether the origin could not be asked, so that what is stale is the best there is. Not when the caller has left. */
export function isUnreachable(error: unknown): boolean {
  const failure = unwrapped(error);
  if (failure instanceof HttpNetworkError) return true;
  return UNREACHED.some((code) => isMacadamError(failure, code));
}

/** What was given up, or refused here before it was sent. */
const UNREACHED = [
  'MAC_TIMEOUT',
  'MAC_CIRCUIT_OPEN',
  'MAC_BULKHEAD_FULL',
  'MAC_CONCURRENCY_LIMITED',
  'MAC_RATE_LIMITED',
];

/** A failure without what tells how often it was tried. */
export function unwrapped(error: unknown): unknown {
  return error instanceof AttemptsExhaustedError ? error.cause : error;
}

/** The header fields of an answer, as they are kept. */
export function fieldsOf({ headers }: HttpResponse): StoredFields {
  const fields: StoredFields = {};
  for (const [name, value] of headers) fields[name] = name === 'set-cookie' ? headers.getSetCookie() : value;
  return fields;
}
