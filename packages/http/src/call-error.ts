/** Turns the failure of a call into the error, or the response, that the caller gets. */
import { currentWork, isMacadamError, type TimeoutError } from '@macadam/core';
import { AttemptsExhaustedError } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import { CallersFailure } from './callers-failure.ts';
import { isCancelReason } from './cancel-reason.ts';
import {
  completeError,
  HttpError,
  HttpNetworkError,
  HttpRequestError,
  HttpStatusError,
  HttpTimeoutError,
  isTimeLimitError,
  type ErrorSubject,
  type HttpGaveUpReason,
} from './errors.ts';
import type { HttpClientSettings } from './settings.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { toSsrfError } from './transport/ssrf-error.ts';
import { setAttempts, type HttpResponse } from './response.ts';

/** A call that failed. */
export interface FailedCall {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  readonly options: AnyRequestOptions | undefined;
  readonly settings: HttpClientSettings;
}

/** The outcome of a failed call: an error, or with `throwOnStatus: false` the response outside 2xx. */
export type FailedCallOutcome =
  { readonly error: unknown; readonly response?: undefined } | { readonly response: HttpResponse };

/**
 * Turns what the policies threw into what the caller gets: the failure itself, without the wrapper of the retry, with its attempts;
 * or the reason that the call was cancelled with.
 */
export function concludeCall(thrown: unknown, call: FailedCall): FailedCallOutcome {
  if (isCancelReason(thrown, call.request)) return { error: thrown };
  const { log, options, settings } = call;
  const { failure, gaveUp } = withBodyReason(unwrap(thrown, call), call);
  const refused = failure instanceof HttpStatusError && failure.redirectRefused !== undefined;
  const throws =
    (options?.throwOnStatus ?? settings.throwOnStatus) || (refused && call.request.stream?.redirect === 'follow');
  if (failure instanceof HttpStatusError && !throws) {
    setAttempts(failure.response, log.records);
    return { response: failure.response };
  }
  if (failure instanceof HttpStatusError) setAttempts(failure.response, log.records);
  let error: HttpError;
  if (failure instanceof HttpNetworkError) error = completeError(toSsrfError(failure), log.records, gaveUp);
  else if (failure instanceof HttpError) error = completeError(failure, log.records, gaveUp);
  else if (failure instanceof CallersFailure) {
    error = completeError(failure.asErrorOf(lastSubject(call.request, log)), log.records, gaveUp);
  } else if (isTimeLimitError(failure)) error = timeoutError(failure, gaveUp, call);
  else return { error: withRequest(failure, gaveUp, call) };
  // From here the stack leads to the caller. Where the error was created it would show the internals of the transport.
  Error.captureStackTrace(error, concludeCall);
  return { error };
}

/** Rejections by policies of this client, whose errors do not know the request. */
const REJECTION_CODES: ReadonlySet<string> = new Set([
  'MAC_BULKHEAD_FULL',
  'MAC_CIRCUIT_OPEN',
  'MAC_CONCURRENCY_LIMITED',
]);

/**
 * Adds the request to the message of a rejection by a policy, and the earlier failure as its cause. A rejection that `auth`
 * failed with comes from another client and stays as it is: others may hold the same error.
 */
function withRequest(failure: unknown, gaveUp: HttpGaveUpReason, { request: { subject }, log }: FailedCall): unknown {
  if (!isMacadamError(failure) || !REJECTION_CODES.has(failure.code) || failure === log.failure) return failure;
  const { message, stack } = failure;
  failure.message = `${subject.method} ${subject.url} was refused here: ${message}`;
  // An error of a breaker has stack frames only with the option `captureStack`.
  if (stack !== undefined) failure.stack = stack.replace(message, () => failure.message);
  if (!(log.failure instanceof HttpError)) return failure;
  const cause = completeError(log.failure, log.records, gaveUp);
  return Object.defineProperty(failure, 'cause', { value: cause, writable: true, configurable: true });
}

/** The request as errors name it; with several endpoints, at the one that was tried last. */
export function lastSubject({ subject }: PreparedRequest, log: AttemptLog | undefined): ErrorSubject {
  const last = log?.router?.attempted.at(-1);
  return last === undefined ? subject : subject.at(last.target);
}

interface Unwrapped {
  readonly failure: unknown;
  readonly gaveUp: HttpGaveUpReason;
}

function unwrap(thrown: unknown, { log }: FailedCall): Unwrapped {
  if (thrown instanceof AttemptsExhaustedError) return { failure: thrown.cause, gaveUp: thrown.reason };
  // The circuit opened between two attempts: the failure that opened it says more than that it is open.
  if (isMacadamError(thrown, 'MAC_CIRCUIT_OPEN') && log.failure !== undefined) {
    return { failure: log.failure, gaveUp: 'circuitOpen' };
  }
  // There would have been another attempt, but the body was used up.
  if (thrown instanceof HttpRequestError && log.failure !== undefined && thrown.cause === log.failure) {
    return { failure: log.failure, gaveUp: 'bodyNotReplayable' };
  }
  return { failure: thrown, gaveUp: 'notRetryable' };
}

/** Replaces `notRetryable` if only the body, which cannot be sent again, prevented another attempt. */
function withBodyReason(end: Unwrapped, { request, settings }: FailedCall): Unwrapped {
  const { failure, gaveUp } = end;
  if (gaveUp !== 'notRetryable' || request.source?.replayable !== false) return end;
  const { statuses, errorCodes } = settings.rules;
  const wouldRetry =
    (failure instanceof HttpStatusError && request.repeatable && statuses.has(failure.status)) ||
    (failure instanceof HttpNetworkError &&
      (request.repeatable || failure.phase === 'connect') &&
      errorCodes.has(failure.errorCode));
  return wouldRetry ? { failure, gaveUp: 'bodyNotReplayable' } : end;
}

function timeoutError(failure: TimeoutError, gaveUp: HttpGaveUpReason, call: FailedCall): HttpTimeoutError {
  const { request, log, options, settings } = call;
  const limitMs = options?.timeoutMs ?? settings.timeoutMs;
  const isSpent = settings.clock.monotonic() - log.startedAt >= limitMs;
  const overall = isSpent || currentWork()?.deadline?.expired === true;
  // The wait for endpoints had shortened the limit of the policy; the error names the limit of the call.
  const reportedMs = isSpent && log.limitedFrom > log.startedAt ? limitMs : failure.timeoutMs;
  const cause = log.failure instanceof HttpError ? log.failure : undefined;
  // Nothing was sent: the call waited for the bulkhead, pacing or the endpoints all the time.
  const what = log.records.length === 0 ? 'was not sent within' : undefined;
  const error = new HttpTimeoutError(lastSubject(request, log), reportedMs, request.repeatable, cause, what);
  return completeError(error, log.records, overall ? 'deadline' : gaveUp);
}
