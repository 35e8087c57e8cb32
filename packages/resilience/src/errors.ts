import { MacadamError, type AttemptRecord } from '@macadam/core';
import type { CircuitState } from './circuit-breaker/state.ts';

export type GaveUpReason = 'budget' | 'deadline' | 'maxAttempts' | 'retryAfterTooLong';

const WHY: Readonly<Record<GaveUpReason, string>> = {
  maxAttempts: 'no attempt is left',
  budget: 'the retry budget is spent',
  deadline: 'the deadline comes before the next attempt could',
  retryAfterTooLong: 'the dependency asked for a longer wait than allowed',
};

/** A retry gave up. `cause` is the last failure, `attempts` all of them. Code `MAC_ATTEMPTS_EXHAUSTED`. */
export class AttemptsExhaustedError extends MacadamError {
  readonly reason: GaveUpReason;
  /** How long the dependency asked to be left alone, in milliseconds, when it said so. */
  declare readonly retryAfterMs?: number;
  /** Every try, the last one included. */
  readonly attempts: readonly AttemptRecord[];

  constructor(reason: GaveUpReason, attempts: readonly AttemptRecord[], cause: unknown, retryAfterMs?: number) {
    const tries = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`;
    super(`Gave up after ${tries}: ${WHY[reason]}. Last failure: ${inWords(cause)}`, {
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

/** Anything can be thrown, also what cannot be made a string: giving up must not fail because of that. */
function inWords(cause: unknown): string {
  try {
    return String(cause instanceof Error ? cause.message : cause);
  } catch {
    return 'a value without words';
  }
}

/**
 * A circuit breaker let the call not through. Code `MAC_CIRCUIT_OPEN`; not retryable at once: see `retryAfterMs`.
 * Carries no stack unless the breaker was made with `captureStack`.
 */
export class CircuitOpenError extends MacadamError {
  /** The breaker's name. */
  readonly breaker: string;
  readonly state: CircuitState;
  /** When a call may be let through again, in milliseconds; absent while the breaker is isolated by hand. */
  declare readonly retryAfterMs?: number;

  constructor(breaker: string, state: CircuitState, retryAfterMs: number | undefined, captureStack = false) {
    const when = retryAfterMs === undefined ? 'until it is reset' : `for ${Math.ceil(retryAfterMs)} ms`;
    super(`Circuit breaker "${breaker}" is ${state}: calls are refused ${when}`, {
      code: 'MAC_CIRCUIT_OPEN',
      stack: captureStack,
    });
    this.breaker = breaker;
    this.state = state;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}
CircuitOpenError.prototype.name = 'CircuitOpenError';

/** A bulkhead has no room, or no room came free in time. Code `MAC_BULKHEAD_FULL`, retryable later. */
export class BulkheadFullError extends MacadamError {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  /** How long the call had queued, in milliseconds; 0 when it was refused at once. */
  readonly queuedMs: number;

  constructor(message: string, limits: { maxConcurrent: number; maxQueued: number; queuedMs: number }) {
    super(message, { code: 'MAC_BULKHEAD_FULL', retryable: true, stack: false });
    this.maxConcurrent = limits.maxConcurrent;
    this.maxQueued = limits.maxQueued;
    this.queuedMs = limits.queuedMs;
  }
}
BulkheadFullError.prototype.name = 'BulkheadFullError';

/** As many calls are in flight as the dependency can serve now. Code `MAC_CONCURRENCY_LIMITED`, retryable. */
export class ConcurrencyLimitedError extends MacadamError {
  /** The limit at that moment. */
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
