import { MacadamError, type AttemptRecord } from '@macadam/core';
import type { CircuitState } from './circuit-breaker/state.ts';

/**
 * Why a retry gave up:
 *
 * - `maxAttempts`: the maximum number of attempts was reached.
 * - `budget`: the retry budget was empty.
 * - `deadline`: the next attempt could not begin before the deadline.
 * - `retryAfterTooLong`: the dependency asked for a longer wait than `maxRetryAfterMs`, or than the time left.
 */
export type GaveUpReason = 'budget' | 'deadline' | 'maxAttempts' | 'retryAfterTooLong';

const WHY: Readonly<Record<GaveUpReason, string>> = {
  maxAttempts: 'no attempt is left',
  budget: 'the retry budget is spent',
  deadline: 'the deadline comes before the next attempt could',
  retryAfterTooLong: 'the dependency asked for a longer wait than allowed',
};

/**
 * A retry that gave up. `cause` is the last failure, `attempts` lists all of them. Code `MAC_ATTEMPTS_EXHAUSTED`; retryable unless
 * `reason` is `maxAttempts`.
 */
export class AttemptsExhaustedError extends MacadamError {
  /** Why the retry gave up. */
  readonly reason: GaveUpReason;
  /** How long the dependency asked to wait, in milliseconds; absent if it did not. */
  declare readonly retryAfterMs?: number;
  /** All attempts, the last one included. */
  readonly attempts: readonly AttemptRecord[];

  constructor(reason: GaveUpReason, attempts: readonly AttemptRecord[], cause: unknown, retryAfterMs?: number) {
    const count = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`;
    super(`Gave up after ${count}: ${WHY[reason]}. Last failure: ${describeCause(cause)}`, {
      code: 'MAC_ATTEMPTS_EXHAUSTED',
      retryable: reason !== 'maxAttempts',
      cause,
    });
    this.reason = reason;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
    this.attempts = attempts;
  }
}
AttemptsExhaustedError.prototype.name = 'AttemptsExhaustedError';

/** Returns the message of what was thrown. Never throws, even if the value cannot be converted to a string. */
function describeCause(cause: unknown): string {
  try {
    return String(cause instanceof Error ? cause.message : cause);
  } catch {
    return 'a value that cannot be converted to a string';
  }
}

/** Further values of a {@link CircuitOpenError}. */
export interface CircuitOpenDetails {
  /** See {@link CircuitOpenError.reason}. Default: none. */
  readonly reason?: string | undefined;
  /** See {@link CircuitOpenError.lastFailure}. Default: none. */
  readonly lastFailure?: string | undefined;
  /** Whether the error has a stack trace. Default: false. */
  readonly captureStack?: boolean;
}

/**
 * A call refused by an open circuit breaker; nothing was sent. Code `MAC_CIRCUIT_OPEN`, not retryable before `retryAfterMs`. Has no
 * stack trace unless the breaker has `captureStack`.
 */
export class CircuitOpenError extends MacadamError {
  /** The name of the breaker. */
  readonly breaker: string;
  /** The state of the breaker when it refused the call. */
  readonly state: CircuitState;
  /** Time until a call may be admitted again, in milliseconds; absent while the breaker is isolated. */
  declare readonly retryAfterMs?: number;
  /** Why the circuit opened or was isolated, in words, such as `5 failures in a row`; not meant to be matched on. */
  declare readonly reason?: string;
  /**
   * What the last call that counted as a failure ended with: the message of an error of Macadam; of others, which may repeat what a
   * caller sent, only the code or the name. Absent if no call failed since the circuit was closed.
   */
  declare readonly lastFailure?: string;

  constructor(
    breaker: string,
    state: CircuitState,
    retryAfterMs?: number,
    { reason, lastFailure, captureStack = false }: CircuitOpenDetails = {},
  ) {
    const cause = reason === undefined || state === 'isolated' ? '' : ` (${reason})`;
    const when = retryAfterMs === undefined ? 'until it is reset' : `for ${Math.ceil(retryAfterMs)} ms`;
    const why = lastFailure === undefined ? '' : `; the last failure: ${lastFailure}`;
    super(`Circuit breaker "${breaker}" is ${state}${cause}: calls are refused ${when}${why}`, {
      code: 'MAC_CIRCUIT_OPEN',
      stack: captureStack,
    });
    this.breaker = breaker;
    this.state = state;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
    if (reason !== undefined) this.reason = reason;
    if (lastFailure !== undefined) this.lastFailure = lastFailure;
  }
}
CircuitOpenError.prototype.name = 'CircuitOpenError';

/** A call refused by a bulkhead that was full, or did not get a place in time. Code `MAC_BULKHEAD_FULL`, retryable later. */
export class BulkheadFullError extends MacadamError {
  /** The maximum number of calls in flight. */
  readonly maxConcurrent: number;
  /** The maximum number of waiting calls. */
  readonly maxQueued: number;
  /** How long the call had waited, in milliseconds; 0 if it was refused at once. */
  readonly queuedMs: number;

  constructor(message: string, limits: { maxConcurrent: number; maxQueued: number; queuedMs: number }) {
    super(message, { code: 'MAC_BULKHEAD_FULL', retryable: true, stack: false });
    this.maxConcurrent = limits.maxConcurrent;
    this.maxQueued = limits.maxQueued;
    this.queuedMs = limits.queuedMs;
  }
}
BulkheadFullError.prototype.name = 'BulkheadFullError';

/** A call refused by `adaptiveConcurrency()`. Code `MAC_CONCURRENCY_LIMITED`, retryable. */
export class ConcurrencyLimitedError extends MacadamError {
  /** The limit on calls in flight when the call was refused. */
  readonly limit: number;

  constructor(limit: number) {
    super(`${limit} calls are in flight, which is as many as the dependency serves well now`, {
      code: 'MAC_CONCURRENCY_LIMITED',
      retryable: true,
      stack: false,
    });
    this.limit = limit;
  }
}
ConcurrencyLimitedError.prototype.name = 'ConcurrencyLimitedError';
