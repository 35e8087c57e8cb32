import { isMacadamError, MacadamError } from '@macadam/core';
import { HttpError, HttpRequestError, type ErrorSubject, type RequestPart } from './errors.ts';

/** Codes of errors that the policies of a call fail with. From the caller's code they come from policies of another call. */
const POLICY_CODES: ReadonlySet<string> = new Set([
  'MAC_ATTEMPTS_EXHAUSTED',
  'MAC_BULKHEAD_FULL',
  'MAC_CIRCUIT_OPEN',
  'MAC_CONCURRENCY_LIMITED',
  'MAC_TIMEOUT',
]);

/**
 * What a function in the options of the client has failed with, if it is the error of another call: as it is, the policies, the
 * cache and the end of this call would take it for a failure, or even a response, of this one.
 */
export class CallersFailure extends MacadamError {
  readonly #part: RequestPart;

  constructor(part: RequestPart, cause: MacadamError) {
    super(`${part} failed`, { code: 'MAC_HTTP_REQUEST', cause, retryable: cause.retryable, stack: false });
    this.#part = part;
  }

  /** The error that the call ends with. */
  asErrorOf(subject: ErrorSubject): HttpRequestError {
    return new HttpRequestError(subject, this.#part, this.cause);
  }
}

/** What to throw for a failure of a function in the options: the failure as it is, unless it is the error of another call. */
export function callersFailure(part: RequestPart, failure: unknown): unknown {
  const isOfAnotherCall = failure instanceof HttpError || (isMacadamError(failure) && POLICY_CODES.has(failure.code));
  return isOfAnotherCall ? new CallersFailure(part, failure) : failure;
}
