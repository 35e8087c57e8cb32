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

/** Failures on this side, which say nothing about the dependency. */
const LOCAL_ERROR_CODES: ReadonlySet<string> = new Set([
  ...UNSENT_CODES,
  'MAC_CLOSED',
  'MAC_HTTP_SSRF_BLOCKED',
  'UND_ERR_ABORTED',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INVALID_ARG',
]);

/** What is worth a second try. */
export interface RetryRules {
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  readonly errorCodes: ReadonlySet<string>;
}

/** Whether sending this request twice is harmless: by its method, or because the caller says so. */
export function isRepeatable(rules: RetryRules, method: string, declared: boolean): boolean {
  return declared || rules.methods.has(method);
}

/** Whether an answer with this status may be followed by another try. */
export function isRetryableStatus(rules: RetryRules, status: number, repeatable: boolean): boolean {
  return repeatable && rules.statuses.has(status);
}

/** Whether a network failure may be followed by another try: any request may, when nobody has begun to act on it. */
export function isRetryableFailure(
  rules: RetryRules,
  errorCode: string,
  repeatable: boolean,
  unsent: boolean,
): boolean {
  return (repeatable || unsent) && rules.errorCodes.has(errorCode);
}

/** Whether nobody has begun to act on a request that failed, and its body can be had again. */
export function isUntouched(error: Error, phase: NetworkPhase, source: { replayable: boolean } | undefined): boolean {
  return (phase === 'connect' || (phase === 'request' && wasNotProcessed(error))) && source?.replayable !== false;
}

/** The retry's question, for calls that must not happen twice: only what provably never left, or was not looked at. */
export function retryUnsent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (!(error instanceof HttpNetworkError) || !error.retryable) return false;
  return error.phase === 'connect' || wasNotProcessed(error.cause);
}

/**
 * Whether a request was lost only because its connection, which had served before, was closed as it was written, or
 * because the server did not take it up: it is sent once more, at no cost. Of those that must not happen twice only the
 * latter are, since the others may have arrived.
 */
export function isTransparent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (!(error instanceof HttpNetworkError) || error.phase !== 'request' || !error.retryable) return false;
  return wentStale(error) || wasNotProcessed(error.cause);
}

/** A server may close a connection that rests as a request is written to it: that is nobody's failure, however many do. */
function wentStale({ phase, cause }: HttpNetworkError): boolean {
  return phase === 'request' && failedOnReusedSocket(cause);
}

/** Whether a try failed before it was sent, at its token, a circuit or its connection: another may be answered. */
export function isUnsent(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (error instanceof HttpNetworkError) return error.phase === 'connect';
  return !(error instanceof HttpError) || error instanceof HttpRequestError;
}

/** Whether the server is alive and asks for less: such answers wait from a longer base. */
export function isThrottled(outcome: Outcome): boolean {
  if (outcome.ok || !(outcome.error instanceof HttpStatusError)) return false;
  return outcome.error.status === 429 || outcome.error.status === 503;
}

/**
 * What a try says about the health of the other side. Any answer below 500 shows it is well, apart from 429, which is a
 * matter of quota; a refusal on our side, a body we did not want and a caller who left say nothing.
 */
export function classifyAttempt(outcome: Outcome): Verdict {
  return outcome.ok ? 'success' : classifyFailure(outcome.error);
}

/** What the failure of a try says. */
export function classifyFailure(error: unknown): Verdict {
  if (error instanceof HttpStatusError) return classifyStatus(error.status);
  if (error instanceof HttpNetworkError) {
    const { errorCode, cause } = error;
    const isNobodys = LOCAL_ERROR_CODES.has(errorCode) || isLocalFailure(cause, errorCode) || wentStale(error);
    return isNobodys ? 'neutral' : 'failure';
  }
  return isMacadamError(error, 'MAC_TIMEOUT') ? 'failure' : 'neutral';
}

/** What an answer with this status says. */
export function classifyStatus(status: number): Verdict {
  if (status === 429) return 'neutral';
  if (status === 501 || status === 505) return 'success';
  return status >= 500 ? 'failure' : 'success';
}
