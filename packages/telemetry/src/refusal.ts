import { isError } from './is-error.ts';
import { isMacadamError } from '@macadam/core';

/** Fields by which web frameworks and HTTP clients put a status on their errors. */
interface ErrorWithStatus {
  readonly statusCode?: unknown;
  readonly status?: unknown;
  readonly response?: unknown;
}

/**
 * Returns the HTTP status with which `error` refuses a caller; undefined if the error is a failure. Errors of Macadam have
 * a `refusalStatus`. For others it is a `statusCode` or `status` of 400 to 499, as web frameworks set them.
 */
export function refusalStatusOf(error: unknown): number | undefined {
  if (isMacadamError(error)) return error.refusalStatus;
  if (!isError(error)) return undefined;
  const { statusCode, status, response } = error as ErrorWithStatus;
  // Errors of HTTP clients contain the response of another server: a call of ours failed, and no caller was refused.
  if (typeof response === 'object' && response !== null && 'status' in response) return undefined;
  const code = statusCode ?? status;
  return typeof code === 'number' && code >= 400 && code <= 499 ? code : undefined;
}
