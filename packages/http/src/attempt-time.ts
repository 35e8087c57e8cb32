import type { Clock } from '@macadam/core';
import type { AttemptLog } from './attempts.ts';
import type { PreparedRequest } from './request.ts';

/** How long an error body is waited for when another request may follow. Then its connection is dropped. */
const FOLLOWED_BODY_MS = 50;

/**
 * The share of an attempt's remaining time that the body of its error response may take. Less than all of it, so that a body
 * that stalls ends the attempt with its status, which is known, and not with a timeout.
 */
const ERROR_BODY_SHARE = 0.5;

/** The time limits of a client. */
interface TimeLimits {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
}

/**
 * How long an attempt may still take, in milliseconds: the least of what its own limit, that of the call and the deadline of
 * the current work leave of it.
 *
 * @param attemptStartedAtMs - when the attempt started, in milliseconds after the start of the call
 */
export function attemptTimeLeftMs(
  { execution, work }: PreparedRequest,
  { startedAt, limitedFrom }: AttemptLog,
  { timeoutMs, attemptTimeoutMs }: TimeLimits,
  attemptStartedAtMs: number,
  now: number,
): number {
  const callMs = (execution.timeoutMs ?? timeoutMs) - (now - limitedFrom);
  const attemptMs = (execution.attemptTimeoutMs ?? attemptTimeoutMs) - (now - startedAt - attemptStartedAtMs);
  return Math.min(attemptMs, callMs, work?.deadline?.remainingMs() ?? Infinity);
}

/** The attempt that an error response belongs to. */
interface FailedAttempt {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  readonly context: { readonly attempt: number };
}

/**
 * How long the body of an error response is read, from the arrival of its headers, in milliseconds.
 *
 * @param mayContinue - whether a retry, a redirect or new credentials may follow
 */
export function errorBodyLimitMs(
  { request, log, context }: FailedAttempt,
  settings: TimeLimits & { readonly clock: Clock },
  mayContinue: boolean,
): number {
  const startedAtMs = request.attemptStartedAtMs ?? log.startedAtMs(context.attempt);
  const leftMs = attemptTimeLeftMs(request, log, settings, startedAtMs, settings.clock.monotonic());
  const shareMs = Math.max(0, Math.floor(leftMs * ERROR_BODY_SHARE));
  return mayContinue ? Math.min(FOLLOWED_BODY_MS, shareMs) : shareMs;
}
