import { isMacadamError } from '@macadam/core';

/**
 * The HTTP status with which `error` refuses a caller; undefined if it is a failure. Errors of Macadam know it themselves. Others
 * refuse with the 4xx that web frameworks answer them with: their `statusCode`, else their `status`.
 */
export function refusalStatusOf(error: unknown): number | undefined {
  if (isMacadamError(error)) return error.refusalStatus;
  if (!(error instanceof Error)) return undefined;
  const { statusCode, status, response } = error as Answered;
  // What holds the answer of another server, as the errors of HTTP clients do, tells that a call of ours has failed.
  if (typeof response === 'object' && response !== null && 'status' in response) return undefined;
  const answer = statusCode ?? status;
  return typeof answer === 'number' && answer >= 400 && answer <= 499 ? answer : undefined;
}

interface Answered {
  readonly statusCode?: unknown;
  readonly status?: unknown;
  readonly response?: unknown;
}
