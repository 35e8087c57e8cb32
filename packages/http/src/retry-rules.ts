import type { Outcome, Verdict } from '@macadam/resilience';
import { isMacadamError } from '@macadam/core';
import { HttpError, HttpNetworkError, HttpRequestError, HttpStatusError, type NetworkPhase } from './errors.ts';
import { isLocalFailure } from './transport/local-failures.ts';
import { UNSENT_CODES, wasNotProcessed } from './transport/http2-streams.ts';
import { failedOnReusedSocket } from './transport/stale-connections.ts';

/** The methods that are retried by default: the idempotent ones (RFC 9110, section 9.2.2) and QUERY. */
export const DEFAULT_RETRY_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'];

/** The statuses that are retried by default. 501 and 505 are not: they are permanent. Source: what other clients agree on. */
export const DEFAULT_RETRY_STATUSES: readonly number[] = [408, 429, 500, 502, 503, 504];

/** The network error codes that are retried by default. Certificate errors, parse errors and the client's shutdown are not. */
export const DEFAULT_RETRY_ERROR_CODES: readonly string[] = [
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_CANCEL',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_PROXY_UNAVAILABLE',
  'ETIMEDOUT',
  'HPE_INVALID_EOF_STATE',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_INFO',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_SOCKET',
];

/** Failures on this side, which say nothing about the health of the server. */
const LOCAL_ERROR_CODES: ReadonlySet<string> = new Set([
  ...UNSENT_CODES,
  'MAC_CLOSED',
  'MAC_HTTP_SSRF_BLOCKED',
  'UND_ERR_ABORTED',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INVALID_ARG',
]);

/** What is retried. */
export interface RetryRules {
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  readonly errorCodes: ReadonlySet<string>;
}

/** Whether sending this request twice is harmless: by its method, or because the caller says so. */
export function isRepeatable(rules: RetryRules, method: string, declared: boolean): boolean {
  return declared || rules.methods.has(method);
}

/** Whether a response with this status may be followed by another attempt. */
export function isRetryableStatus(rules: RetryRules, status: number, repeatable: boolean): boolean {
  return repeatable && rules.statuses.has(status);
}

/** Whether a network failure may be followed by another attempt. */
export function isRetryableFailure(
  rules: RetryRules,
  errorCode: string,
  repeatable: boolean,
  safeToResend: boolean,
): boolean {
  return (repeatable || safeToResend) && rules.errorCodes.has(errorCode);
}

/** Whether the server did not begin to process a failed request, whose body can be sent again: so any method may be repeated. */
export function isSafeToResend(
  error: Error,
  phase: NetworkPhase,
  source: { replayable: boolean } | undefined,
): boolean {
  return (phase === 'connect' || (phase === 'request' && wasNotProcessed(error))) && source?.replayable !== false;
}

/** `retryIf` for requests that must not be sent twice: retries only what was not sent, or provably not processed by the server. */
export function retryUnsent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (!(error instanceof HttpNetworkError) || !error.retryable) return false;
  return error.phase === 'connect' || wasNotProcessed(error.cause);
}

/**
 * Whether a request was lost because its reused connection was closed while it was written, or because the server did not
 * process it. Such a request is repeated once without using up an attempt or retry budget. A request that must not be sent
 * twice is repeated only in the second case: in the first it may have arrived.
 */
export function isTransparent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (!(error instanceof HttpNetworkError) || error.phase !== 'request' || !error.retryable) return false;
  return isStaleConnectionFailure(error) || wasNotProcessed(error.cause);
}

/** A server may close an idle connection at the moment a request is written to it, which is not a failure of the server. */
function isStaleConnectionFailure({ phase, cause }: HttpNetworkError): boolean {
  return phase === 'request' && failedOnReusedSocket(cause);
}

/** Whether an attempt failed before it was sent (credentials, open circuit, connecting): a hedge next to it may still succeed. */
export function isUnsent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (error instanceof HttpNetworkError) return error.phase === 'connect';
  return !(error instanceof HttpError) || error instanceof HttpRequestError;
}

/** Whether the server asks for fewer requests: the retry after such a response waits from a longer base. */
export function isThrottled(outcome: Outcome): boolean {
  if (outcome.ok || !(outcome.error instanceof HttpStatusError)) return false;
  return outcome.error.status === 429 || outcome.error.status === 503;
}

/**
 * What an attempt says about the health of the server. Any response below 500 is a success, except 429, which is a matter of
 * quota and so neutral. Rejections by this client, bodies it did not accept and cancelled calls are neutral.
 */
export function classifyAttempt(outcome: Outcome): Verdict {
  return outcome.ok ? 'success' : classifyFailure(outcome.error);
}

export function classifyFailure(error: unknown): Verdict {
  if (error instanceof HttpStatusError) return classifyStatus(error.status);
  if (error instanceof HttpNetworkError) {
    const { errorCode, cause } = error;
    const isNeutral =
      LOCAL_ERROR_CODES.has(errorCode) || isLocalFailure(cause, errorCode) || isStaleConnectionFailure(error);
    return isNeutral ? 'neutral' : 'failure';
  }
  return isMacadamError(error, 'MAC_TIMEOUT') ? 'failure' : 'neutral';
}

export function classifyStatus(status: number): Verdict {
  if (status === 429) return 'neutral';
  // The server is well, and will never support the method or the version.
  if (status === 501 || status === 505) return 'success';
  return status >= 500 ? 'failure' : 'success';
}
