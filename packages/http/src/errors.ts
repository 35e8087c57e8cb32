import { isMacadamError, MacadamError, type MacadamErrorOptions, type TimeoutError } from '@macadam/core';
import type { HttpAttempt } from './attempts.ts';
import { truncationReasonOf } from './body-truncation.ts';
import type { RedirectRefusal } from './redirect.ts';
import type { HttpResponse } from './response.ts';
import { issuesOf, setIssues } from './schema-issues.ts';
import { proxyFault } from './transport/proxy-error.ts';

/**
 * Why there was no further attempt:
 *
 * - `notRetryable`: this kind of error, or this request, is not retried.
 * - `maxAttempts`: `retry.maxAttempts` was reached.
 * - `budget`: the retry budget was empty.
 * - `deadline`: too little of the time limit was left.
 * - `retryAfterTooLong`: the server asked for a longer wait than `retry.maxRetryAfterMs`, or than the time left.
 * - `circuitOpen`: the circuit breaker opened in the meantime.
 * - `bodyNotReplayable`: the body is a stream that cannot be sent again.
 */
export type HttpGaveUpReason =
  'bodyNotReplayable' | 'budget' | 'circuitOpen' | 'deadline' | 'maxAttempts' | 'notRetryable' | 'retryAfterTooLong';

/** The request an error is about. Contains no secrets: path parameters and query values are not filled in. */
export interface ErrorSubject {
  /** The request method. */
  readonly method: string;
  /** Origin and path template, with query values replaced by `REDACTED`. */
  readonly url: string;
  /** The path template, if the path has parameters. Its low cardinality makes it fit for metrics. */
  readonly template?: string | undefined;
  /** The route (method and template) that policies kept `per: 'route'` are looked up by. */
  readonly route?: string;
}

/** The base of the errors a call rejects with: the request, what its attempts did, and why there was no further one. */
export abstract class HttpError extends MacadamError {
  /** The request method. */
  readonly method: string;
  /** Origin and path template of the request, with query values replaced by `REDACTED`. */
  readonly url: string;
  /** What each attempt did, the last one included. */
  readonly attempts: readonly HttpAttempt[] = [];
  /** Why there was no further attempt. */
  readonly gaveUp: HttpGaveUpReason = 'notRetryable';

  constructor(message: string, subject: ErrorSubject, options: Omit<MacadamErrorOptions, 'stack'>) {
    // No stack: it would show the internals of the transport. `concludeCall` captures one that leads to the caller.
    super(`${subject.method} ${subject.url} ${message}`, { ...options, stack: false });
    this.method = subject.method;
    this.url = subject.url;
  }
}

/** Adds the attempts of its call to an error that is created after the call. */
export function withAttempts<E extends HttpError>(error: E, attempts: readonly HttpAttempt[]): E {
  (error as { attempts: readonly HttpAttempt[] }).attempts = attempts;
  return error;
}

/** A copy of an error for another caller that waited for the same request. The caller captures its stack. */
export function copyError<E extends MacadamError>(error: E): E {
  const copy = Reflect.construct(Error, [], error.constructor) as E;
  Object.defineProperties(copy, Object.getOwnPropertyDescriptors(error));
  setIssues(copy, issuesOf(error));
  return copy instanceof HttpError ? withAttempts(copy, copyAttempts(copy.attempts)) : copy;
}

/** A snapshot of the attempts: one in flight still changes. */
export function copyAttempts(attempts: readonly HttpAttempt[]): readonly HttpAttempt[] {
  return attempts.map((attempt) => ({ ...attempt }));
}

/** Reasons that the message names even after a single attempt, since the failure itself does not explain them. */
const REASONS_ALWAYS_IN_MESSAGE: ReadonlySet<HttpGaveUpReason> = new Set([
  'bodyNotReplayable',
  'budget',
  'circuitOpen',
  'retryAfterTooLong',
]);

/** Completes the error a call ends with: its attempts, and why there was no further one. */
export function completeError<E extends HttpError>(
  error: E,
  attempts: readonly HttpAttempt[],
  gaveUp: HttpGaveUpReason,
): E {
  const mutable = withAttempts(error, attempts) as { gaveUp: HttpGaveUpReason; message: string };
  mutable.gaveUp = gaveUp;
  const namesReason =
    REASONS_ALWAYS_IN_MESSAGE.has(gaveUp) || (gaveUp === 'deadline' && !(error instanceof HttpTimeoutError));
  if (attempts.length > 1 || namesReason) mutable.message += ` (attempt ${attempts.length}; gave up: ${gaveUp})`;
  return error;
}

/**
 * A response with a status outside 2xx. Code `MAC_HTTP_STATUS`. Retryable if the status is among `retry.statuses` and the request
 * may be sent twice.
 */
export class HttpStatusError extends HttpError {
  /** The status of the response. */
  readonly status: number;
  /** How long to wait before the next request, in milliseconds, from `Retry-After`; undefined when the server does not say. */
  readonly retryAfterMs: number | undefined;
  /** Why a redirect was not followed; undefined for other responses. */
  readonly redirectRefused: RedirectRefusal | undefined;
  readonly #response: HttpResponse;

  constructor(
    subject: ErrorSubject,
    response: HttpResponse,
    retryable: boolean,
    retryAfterMs: number | undefined,
    redirectRefused?: RedirectRefusal,
  ) {
    const refusal = redirectRefused === undefined ? '' : ` (redirect not followed: ${redirectRefused})`;
    const truncation = truncationReasonOf(response);
    const missing = truncation === undefined ? '' : ` (${truncation})`;
    super(`answered ${response.status}${refusal}${missing}`, subject, { code: 'MAC_HTTP_STATUS', retryable });
    this.status = response.status;
    this.retryAfterMs = retryAfterMs;
    this.redirectRefused = redirectRefused;
    this.#response = response;
  }

  /** The response, with its body cut to 64 KiB, or to what arrived in time. Not printed with the error, since it may contain anything. */
  get response(): HttpResponse {
    return this.#response;
  }
}
HttpStatusError.prototype.name = 'HttpStatusError';

/**
 * How far an attempt got: `connect`, before anything was sent; `request`, while sending or waiting for the response; `response`,
 * after the response headers had arrived.
 */
export type NetworkPhase = 'connect' | 'request' | 'response';

/** No response arrived, or only part of one. Code `MAC_HTTP_NETWORK`. */
export class HttpNetworkError extends HttpError {
  /** The code of the underlying error, such as `ECONNREFUSED`, `ECONNRESET` or `UND_ERR_SOCKET`. */
  readonly errorCode: string;
  /** How far the attempt got. With `connect` nothing was sent, so that any request is safe to repeat. */
  readonly phase: NetworkPhase;
  /** Host and port of the proxy, if the proxy failed or reported that it cannot connect; else undefined. */
  readonly proxy: string | undefined;

  constructor(subject: ErrorSubject, errorCode: string, phase: NetworkPhase, retryable: boolean, cause: unknown) {
    const blamed = proxyFault(cause);
    const what = blamed === undefined ? '' : `: ${blamed.what}`;
    super(`failed: ${errorCode} (${phase})${what}`, subject, { code: 'MAC_HTTP_NETWORK', retryable, cause });
    this.errorCode = errorCode;
    this.phase = phase;
    this.proxy = blamed?.proxy;
  }
}
HttpNetworkError.prototype.name = 'HttpNetworkError';

/**
 * The part of a request that failed on this side: its credentials (`auth`), its body (`body`), the list of endpoints (`endpoints`)
 * or its turn (`pacing`).
 */
export type RequestPart = 'auth' | 'body' | 'endpoints' | 'pacing';

/**
 * A request that was not sent completely because the caller's own code failed: the `auth` hook, a stream given as the body, or
 * the function `endpoints` or the pacer with the error of another call. `cause` is what it failed with. Code `MAC_HTTP_REQUEST`.
 * Retryable if that is a retryable error of Macadam, except of the body. Other errors of Macadam are passed on as they are, and
 * so are other errors of `endpoints` and the pacer.
 */
export class HttpRequestError extends HttpError {
  /** Which part failed. */
  readonly part: RequestPart;

  constructor(subject: ErrorSubject, part: RequestPart, cause: unknown) {
    const retryable = part !== 'body' && isMacadamError(cause) && cause.retryable;
    super(`was not sent: ${part === 'endpoints' ? 'endpoints()' : `its ${part}`} failed`, subject, {
      code: 'MAC_HTTP_REQUEST',
      cause,
      retryable,
    });
    this.part = part;
  }
}
HttpRequestError.prototype.name = 'HttpRequestError';

/** Codes of the errors in which retries and time limits end, with which a call ends too. */
const LIMIT_CODES: ReadonlySet<string> = new Set(['MAC_ATTEMPTS_EXHAUSTED', 'MAC_TIMEOUT']);

/**
 * The error for a failure of the caller's code (`auth`, a body stream). An error of another request, or of a retry or time limit
 * there, is wrapped: as it is, it would be taken for a failure of this request and its server.
 */
export function requestFailure(subject: ErrorSubject, part: RequestPart, cause: unknown): MacadamError {
  const isPassedOn = isMacadamError(cause) && !(cause instanceof HttpError) && !LIMIT_CODES.has(cause.code);
  return isPassedOn ? cause : new HttpRequestError(subject, part, cause);
}

/** A call, or its last attempt, that exceeded its time limit. Code `MAC_TIMEOUT`, like all time limits of Macadam. */
export class HttpTimeoutError extends HttpError {
  /** The limit that was exceeded, in milliseconds. */
  readonly timeoutMs: number;

  constructor(subject: ErrorSubject, timeoutMs: number, retryable: boolean, cause: unknown, what = 'took longer than') {
    super(`${what} ${Math.round(timeoutMs)} ms`, subject, { code: 'MAC_TIMEOUT', retryable, cause });
    this.timeoutMs = timeoutMs;
  }
}
HttpTimeoutError.prototype.name = 'HttpTimeoutError';

/** Whether an error comes from a timeout policy. Not by `instanceof`, because resilience may use another copy of core. */
export function isTimeLimitError(failure: unknown): failure is TimeoutError {
  return isMacadamError(failure, 'MAC_TIMEOUT') && !(failure instanceof HttpError);
}
