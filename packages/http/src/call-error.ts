import { currentWork, isMacadamError, type TimeoutError } from '@macadam/core';
import { AttemptsExhaustedError } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import {
  conclude,
  HttpError,
  HttpNetworkError,
  HttpRequestError,
  HttpStatusError,
  HttpTimeoutError,
  type ErrorSubject,
  type HttpGaveUpReason,
} from './errors.ts';
import type { HttpClientSettings } from './settings.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { toSsrfError } from './transport/ssrf-error.ts';
import { setAttempts, type HttpResponse } from './response.ts';

/** What is known of a call that failed. */
export interface FailedCall {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  readonly options: AnyRequestOptions | undefined;
  readonly settings: HttpClientSettings;
}

/** How a failed call ends: with an error, or with the answer it is about. */
export type CallEnd = { readonly error: unknown; readonly response?: undefined } | { readonly response: HttpResponse };

/**
 * Turns what the policies threw into what the caller gets: the failure itself instead of the wrapper that says how often
 * it was tried, with the story of the call on it.
 */
export function concludeCall(thrown: unknown, call: FailedCall): CallEnd {
  const { log, options, settings } = call;
  const { failure, gaveUp } = explain(unwrap(thrown, call), call);
  const refused = failure instanceof HttpStatusError && failure.redirectRefused !== undefined;
  const throws =
    (options?.throwOnStatus ?? settings.throwOnStatus) || (refused && call.request.stream?.redirect === 'follow');
  if (failure instanceof HttpStatusError && !throws) {
    setAttempts(failure.response, log.records);
    return { response: failure.response };
  }
  if (failure instanceof HttpStatusError) setAttempts(failure.response, log.records);
  let error: HttpError;
  if (failure instanceof HttpNetworkError) error = conclude(toSsrfError(failure), log.records, gaveUp);
  else if (failure instanceof HttpError) error = conclude(failure, log.records, gaveUp);
  else if (isTimeLimit(failure)) error = timedOut(failure, gaveUp, call);
  else return { error: named(failure, gaveUp, call) };
  // From here the stack leads through the caller's awaits; where the error was made it would name sockets only.
  Error.captureStackTrace(error, concludeCall);
  return { error };
}

/** Refusals of this client's own, by what is shared by all of its calls, and knows none of them. */
const REFUSALS: ReadonlySet<string> = new Set(['MAC_BULKHEAD_FULL', 'MAC_CIRCUIT_OPEN', 'MAC_CONCURRENCY_LIMITED']);

/**
 * Says of a refusal what was refused, and what had failed before it, if anything had. One that `auth` failed with is
 * somebody else's, who may have given it to others too.
 */
function named(failure: unknown, gaveUp: HttpGaveUpReason, { request: { subject }, log }: FailedCall): unknown {
  if (!isMacadamError(failure) || !REFUSALS.has(failure.code) || failure === log.failure) return failure;
  const { message, stack } = failure;
  failure.message = `${subject.method} ${subject.url} was refused here: ${message}`;
  // Its frames, if it has any, are those of the breaker's option.
  if (stack !== undefined) failure.stack = stack.replace(message, () => failure.message);
  if (!(log.failure instanceof HttpError)) return failure;
  const cause = conclude(log.failure, log.records, gaveUp);
  return Object.defineProperty(failure, 'cause', { value: cause, writable: true, configurable: true });
}

/** The request as errors name it: of several endpoints, as it went to the last. */
export function lastSubject({ subject }: PreparedRequest, log: AttemptLog | undefined): ErrorSubject {
  const last = log?.route?.attempted.at(-1);
  return last === undefined ? subject : subject.at(last.target);
}

interface Unwrapped {
  readonly failure: unknown;
  readonly gaveUp: HttpGaveUpReason;
}

function unwrap(thrown: unknown, { log }: FailedCall): Unwrapped {
  if (thrown instanceof AttemptsExhaustedError) return { failure: thrown.cause, gaveUp: thrown.reason };
  // The circuit opened between two tries: what opened it tells more than that it is open.
  if (isMacadamError(thrown, 'MAC_CIRCUIT_OPEN') && log.failure !== undefined) {
    return { failure: log.failure, gaveUp: 'circuitOpen' };
  }
  // Another try would have been made, but there was nothing to send any more.
  if (thrown instanceof HttpRequestError && log.failure !== undefined && thrown.cause === log.failure) {
    return { failure: log.failure, gaveUp: 'bodyNotReplayable' };
  }
  return { failure: thrown, gaveUp: 'notRetryable' };
}

/** Says so when there would have been another try if the body could be had again. */
function explain(end: Unwrapped, { request, settings }: FailedCall): Unwrapped {
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

/** Whether a limit of the layers ran out. They may have another copy of core than this package, so that `instanceof` does not tell. */
export function isTimeLimit(failure: unknown): failure is TimeoutError {
  return isMacadamError(failure, 'MAC_TIMEOUT') && !(failure instanceof HttpError);
}

function timedOut(failure: TimeoutError, gaveUp: HttpGaveUpReason, call: FailedCall): HttpTimeoutError {
  const { request, log, options, settings } = call;
  const limitMs = options?.timeoutMs ?? settings.timeoutMs;
  const isSpent = settings.clock.monotonic() - log.startedAt >= limitMs;
  const overall = isSpent || currentWork()?.deadline?.expired === true;
  // What was waited for before had been taken off the limit.
  const toldMs = isSpent && log.limitedFrom > log.startedAt ? limitMs : failure.timeoutMs;
  const cause = log.failure instanceof HttpError ? log.failure : undefined;
  // It waited all the time: for a place, its turn or the endpoints.
  const what = log.records.length === 0 ? 'was not sent within' : undefined;
  const error = new HttpTimeoutError(lastSubject(request, log), toldMs, request.repeatable, cause, what);
  return conclude(error, log.records, overall ? 'deadline' : gaveUp);
}
