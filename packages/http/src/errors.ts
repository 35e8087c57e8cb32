import { isMacadamError, MacadamError } from '@macadam/core';
import type { HttpAttempt } from './attempts.ts';
import type { DecodeFailure } from './content-decoding.ts';
import type { RedirectRefusal } from './redirect.ts';
import type { HttpResponse } from './response.ts';
import { issuePaths, type SchemaIssue } from './schema.ts';
import { blamedProxy } from './transport/proxy-failure.ts';

/**
 * Why a call ended with this error: it is of a kind that is not retried, no attempt, budget or time was left, the server
 * asked for too long a wait, the circuit opened meanwhile, or the body was a stream that had been sent.
 */
export type GaveUp =
  'bodyNotReplayable' | 'budget' | 'circuitOpen' | 'deadline' | 'maxAttempts' | 'notRetryable' | 'retryAfterTooLong';

/** The request an error is about, without anything secret: parameters and query values are not filled in. */
export interface ErrorSubject {
  readonly method: string;
  /** Origin and path template; query values are replaced. */
  readonly url: string;
  /** The path template, when the path has parameters: of few kinds, so that it can be counted by. */
  readonly template?: string | undefined;
  /** What is kept by route is kept by this. */
  readonly route?: string;
}

interface HttpErrorOptions {
  code: string;
  retryable?: boolean;
  cause?: unknown;
}

/** What all errors of a call have: which request, what its tries did, and why there was not another. */
export abstract class HttpError extends MacadamError {
  readonly method: string;
  readonly url: string;
  /** What each try did, the last one included. */
  readonly attempts: readonly HttpAttempt[] = [];
  readonly gaveUp: GaveUp = 'notRetryable';

  constructor(message: string, subject: ErrorSubject, options: HttpErrorOptions) {
    // A try's error is made deep inside the transport, where a stack tells nothing. The call adds its own at the end.
    super(`${subject.method} ${subject.url} ${message}`, { ...options, stack: false });
    this.method = subject.method;
    this.url = subject.url;
  }
}

/** Puts what the tries of its call did on an error that is found out after it. */
export function withAttempts<E extends HttpError>(error: E, attempts: readonly HttpAttempt[]): E {
  (error as { attempts: readonly HttpAttempt[] }).attempts = attempts;
  return error;
}

/** The same failure in an error of its own, for another who waited for the same request. Its stack is still to be captured. */
export function copyError<E extends HttpError>(error: E): E {
  const copy = Reflect.construct(Error, [], error.constructor) as E;
  Object.defineProperties(copy, Object.getOwnPropertyDescriptors(error));
  return withAttempts(copy, copyAttempts(error.attempts));
}

/** As they are now: a try that is in flight still goes on. */
export function copyAttempts(attempts: readonly HttpAttempt[]): readonly HttpAttempt[] {
  return attempts.map((attempt) => ({ ...attempt }));
}

/** These are worth a word after a first try too: the failure itself does not tell why there was no other. */
const TOLD_OF_ONE: ReadonlySet<GaveUp> = new Set(['bodyNotReplayable', 'budget', 'circuitOpen', 'retryAfterTooLong']);

/** Completes the error a call ends with: what its tries did and why it gave up. */
export function conclude<E extends HttpError>(error: E, attempts: readonly HttpAttempt[], gaveUp: GaveUp): E {
  const open = withAttempts(error, attempts) as { gaveUp: GaveUp; message: string };
  open.gaveUp = gaveUp;
  const tells = TOLD_OF_ONE.has(gaveUp) || (gaveUp === 'deadline' && !(error instanceof HttpTimeoutError));
  if (attempts.length > 1 || tells) open.message += ` (attempt ${attempts.length}; gave up: ${gaveUp})`;
  return error;
}

/** The server answered, with a status outside 2xx. Code `MAC_HTTP_STATUS`. */
export class HttpStatusError extends HttpError {
  readonly status: number;
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Why a redirect was not followed; undefined for all other answers. */
  readonly redirectRefused: RedirectRefusal | undefined;
  readonly #response: HttpResponse;

  constructor(
    subject: ErrorSubject,
    response: HttpResponse,
    retryable: boolean,
    retryAfterMs: number | undefined,
    redirectRefused?: RedirectRefusal,
  ) {
    const why = redirectRefused === undefined ? '' : ` (redirect not followed: ${redirectRefused})`;
    super(`answered ${response.status}${why}`, subject, { code: 'MAC_HTTP_STATUS', retryable });
    this.status = response.status;
    this.retryAfterMs = retryAfterMs;
    this.redirectRefused = redirectRefused;
    this.#response = response;
  }

  /** The answer, its body cut to 64 KiB. Not printed with the error: it may hold anything. */
  get response(): HttpResponse {
    return this.#response;
  }
}
HttpStatusError.prototype.name = 'HttpStatusError';

/** How far a try had come: `connect` is before anything was sent, `response` after the headers had arrived. */
export type NetworkPhase = 'connect' | 'request' | 'response';

/** There was no answer, or not a whole one. Code `MAC_HTTP_NETWORK`. */
export class HttpNetworkError extends HttpError {
  /** What went wrong: `ECONNREFUSED`, `ECONNRESET`, `UND_ERR_SOCKET`, … */
  readonly errorCode: string;
  /** Nothing was sent when this is `connect`, so that any request may be repeated. */
  readonly phase: NetworkPhase;
  /** Host and port of the proxy, when it was that which failed, or which said that it cannot connect; else undefined. */
  readonly proxy: string | undefined;

  constructor(subject: ErrorSubject, errorCode: string, phase: NetworkPhase, retryable: boolean, cause: unknown) {
    const blamed = blamedProxy(cause);
    const what = blamed === undefined ? '' : `: ${blamed.what}`;
    super(`failed: ${errorCode} (${phase})${what}`, subject, { code: 'MAC_HTTP_NETWORK', retryable, cause });
    this.errorCode = errorCode;
    this.phase = phase;
    this.proxy = blamed?.proxy;
  }
}
HttpNetworkError.prototype.name = 'HttpNetworkError';

/** Which part of a request could not be made. */
export type RequestPart = 'auth' | 'body';

/**
 * The request was not sent, or not to its end, because code of the caller's failed: `auth`, or a stream given as the
 * body; `cause` says with what. Code `MAC_HTTP_REQUEST`. Retryable when `auth` failed with an error of this project that
 * is. Errors of this project pass as they are, but for those of other requests and of time limits.
 */
export class HttpRequestError extends HttpError {
  readonly part: RequestPart;

  constructor(subject: ErrorSubject, part: RequestPart, cause: unknown) {
    const retryable = part === 'auth' && isMacadamError(cause) && cause.retryable;
    super(`was not sent: its ${part} failed`, subject, { code: 'MAC_HTTP_REQUEST', cause, retryable });
    this.part = part;
  }
}
HttpRequestError.prototype.name = 'HttpRequestError';

/**
 * The error for what code of the caller's failed with. What another request failed with, or a time limit there, is never
 * passed as it is: the other side would get the blame, and an answer be taken for that to this request.
 */
export function requestFailure(subject: ErrorSubject, part: RequestPart, cause: unknown): MacadamError {
  const isOurs = isMacadamError(cause) && !(cause instanceof HttpError) && cause.code !== 'MAC_TIMEOUT';
  return isOurs ? cause : new HttpRequestError(subject, part, cause);
}

/** The call, or its last try, took too long. Code `MAC_TIMEOUT`, as every time limit of this project. */
export class HttpTimeoutError extends HttpError {
  /** The limit that was exceeded, in milliseconds. */
  readonly timeoutMs: number;

  constructor(subject: ErrorSubject, timeoutMs: number, retryable: boolean, cause: unknown, what = 'took longer than') {
    super(`${what} ${Math.round(timeoutMs)} ms`, subject, { code: 'MAC_TIMEOUT', retryable, cause });
    this.timeoutMs = timeoutMs;
  }
}
HttpTimeoutError.prototype.name = 'HttpTimeoutError';

/** What a body failed at: its encoding, its JSON, its schema, or it had been cut off. */
export type DecodeReason = 'encoding' | 'json' | 'schema' | 'truncated';

/** Not a field, which would be printed. */
const ISSUES = new WeakMap<object, readonly SchemaIssue[]>();

/** The answer is there, but is not what it should be. Code `MAC_HTTP_DECODE`. Not retryable. */
export class HttpDecodeError extends HttpError {
  readonly reason: DecodeReason;
  readonly status: number;
  /** Where the schema did not fit, such as `items.0.price`. */
  readonly paths: readonly string[];

  constructor(
    subject: ErrorSubject,
    reason: DecodeReason,
    status: number,
    detail: string,
    issues: readonly SchemaIssue[] = [],
  ) {
    super(`answered ${status} with a body that ${detail}`, subject, { code: 'MAC_HTTP_DECODE' });
    this.reason = reason;
    this.status = status;
    this.paths = issuePaths(issues);
    if (issues.length > 0) ISSUES.set(this, issues);
  }

  /** What the schema found. Not printed with the error: libraries put the offending values into their messages. */
  get issues(): readonly SchemaIssue[] {
    return ISSUES.get(this) ?? [];
  }
}
HttpDecodeError.prototype.name = 'HttpDecodeError';

/** Which of the limits was exceeded. */
export type ResponseLimit = 'maxBytes' | 'maxRatio';

/** The answer is larger than allowed; reading stopped there. Code `MAC_HTTP_RESPONSE_TOO_LARGE`. Not retryable. */
export class HttpResponseTooLargeError extends HttpError {
  /** The limit that was exceeded, as named in `responseLimits`. */
  readonly limit: ResponseLimit;
  readonly allowed: number;
  readonly status: number;

  constructor(subject: ErrorSubject, limit: ResponseLimit, allowed: number, status: number) {
    const what =
      limit === 'maxBytes' ? `more than ${allowed} bytes` : `more than ${allowed} times its size on the wire`;
    super(`answered ${status} with ${what}`, subject, { code: 'MAC_HTTP_RESPONSE_TOO_LARGE' });
    this.limit = limit;
    this.allowed = allowed;
    this.status = status;
  }
}
HttpResponseTooLargeError.prototype.name = 'HttpResponseTooLargeError';

/** The error for a body whose content encodings could not be undone. */
export function decodeError(
  subject: ErrorSubject,
  status: number,
  failure: DecodeFailure,
): HttpDecodeError | HttpResponseTooLargeError {
  switch (failure.kind) {
    case 'maxBytes':
    case 'maxRatio':
      return new HttpResponseTooLargeError(subject, failure.kind, failure.allowed, status);
    case 'corrupt':
      return new HttpDecodeError(subject, 'encoding', status, `is not valid ${failure.encoding}`);
    case 'tooManyEncodings':
      return new HttpDecodeError(subject, 'encoding', status, 'has more content encodings than allowed');
    case 'unknownEncoding':
      return new HttpDecodeError(subject, 'encoding', status, 'has a content encoding that was not asked for');
  }
}
