/** When a stale stored response may take the place of what the origin failed to give (RFC 5861; RFC 9111, section 4.2.4). */
import { isMacadamError } from '@macadam/core';
import { AttemptsExhaustedError } from '@macadam/resilience';
import { HttpNetworkError } from '../errors.ts';

/** Whether `stale-if-error` applies to a status (RFC 5861, section 4). */
export function isErrorStatus(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504);
}

/** Codes of errors that mean: a time limit passed, or a policy refused the request before it was sent. */
const UNREACHABLE_CODES = [
  'MAC_TIMEOUT',
  'MAC_CIRCUIT_OPEN',
  'MAC_BULKHEAD_FULL',
  'MAC_CONCURRENCY_LIMITED',
  'MAC_RATE_LIMITED',
];

/** Whether a call failed because the origin could not be reached. A call that its caller aborted did not. */
export function isUnreachable(error: unknown): boolean {
  const failure = lastFailure(error);
  if (failure instanceof HttpNetworkError) return true;
  return UNREACHABLE_CODES.some((code) => isMacadamError(failure, code));
}

/** The failure of the last attempt, without the error of `retry` around it. */
export function lastFailure(error: unknown): unknown {
  return error instanceof AttemptsExhaustedError ? error.cause : error;
}
