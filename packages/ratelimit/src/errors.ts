import { MacadamError, type Priority } from '@macadam/core';
import type { Decision } from './decision.ts';

/**
 * The quota is used up, and the wait for it is longer than allowed. Code `MAC_RATE_LIMITED`, retryable after
 * `retryAfterMs`. `take` does not throw it: there a denial is a result. From a rate limiter it refuses a caller: respond with
 * 429, which is its `refusalStatus`. From an outbound limiter it is a failure of a call of ours, and has none.
 */
export class RateLimitedError extends MacadamError {
  /** The name of the limiter. */
  readonly limiter: string;
  /** The name of the limit that denied it. */
  readonly policy: string;
  /** The maximum of `remaining`. */
  readonly limit: number;
  /** Tokens that are left. */
  readonly remaining: number;
  /**
   * When the same request would be allowed, in milliseconds; `Infinity` when it costs more than the share of this process
   * while the store does not respond.
   */
  readonly retryAfterMs: number;

  constructor(
    limiter: string,
    decision: Pick<Decision, 'limit' | 'policy' | 'remaining' | 'retryAfterMs'>,
    refusalStatus?: number,
  ) {
    const { policy, retryAfterMs } = decision;
    const when = retryAfterMs < Infinity ? `in ${retryAfterMs} ms` : 'only when its store responds';
    super(`Rate limit "${policy}" of "${limiter}" allows this again ${when}`, {
      code: 'MAC_RATE_LIMITED',
      retryable: true,
      refusalStatus,
      stack: false,
    });
    this.limiter = limiter;
    this.policy = policy;
    this.limit = decision.limit;
    this.remaining = decision.remaining;
    this.retryAfterMs = retryAfterMs;
  }
}
RateLimitedError.prototype.name = 'RateLimitedError';

/**
 * The request costs more than the limit can ever hold, so waiting does not help. Code `MAC_COST_ABOVE_CAPACITY`, not
 * retryable.
 */
export class CostAboveCapacityError extends MacadamError {
  /** The cost that was asked for. */
  readonly cost: number;
  /** The maximum cost of one request. */
  readonly capacity: number;

  constructor(limiter: string, cost: number, capacity: number) {
    super(`A cost of ${cost} can never be taken from "${limiter}", which holds ${capacity} at most`, {
      code: 'MAC_COST_ABOVE_CAPACITY',
    });
    this.cost = cost;
    this.capacity = capacity;
  }
}
CostAboveCapacityError.prototype.name = 'CostAboveCapacityError';

/**
 * The shared store does not respond, and `onStoreFailure` is `closed`. Code `MAC_RATE_LIMIT_STORE`, retryable. Respond
 * with 503.
 */
export class RateLimitStoreError extends MacadamError {
  /** The name of the limiter. */
  readonly limiter: string;

  constructor(limiter: string, message: string, cause?: unknown) {
    super(`The store of rate limiter "${limiter}" ${message}`, {
      code: 'MAC_RATE_LIMIT_STORE',
      retryable: true,
      cause,
    });
    this.limiter = limiter;
  }
}
RateLimitStoreError.prototype.name = 'RateLimitStoreError';

/**
 * Why work was rejected. `full`: the queue is full. `deadline`: it cannot start, or did not start, within its time.
 * `priority`: its priority is too low for the current load. `tooLong`: it waited too long in the queue.
 */
export type OverloadReason = 'deadline' | 'full' | 'priority' | 'tooLong';

/**
 * The sign of overload by which a load shedder lowered the priority that it admits. `queueDelayMs`: the mean wait in its
 * queue was above `overloadedAboveMs`. `isOverloaded`: the function of that option returned true. The others are named
 * like their option in `signals`.
 */
export type OverloadSignal =
  'cpuThrottled' | 'eventLoopDelayMs' | 'eventLoopUtilization' | 'isOverloaded' | 'memory' | 'queueDelayMs';

/**
 * There is more work than can be done in time. Code `MAC_OVERLOADED`, retryable after `retryAfterMs`. Respond with 503:
 * no quota of the caller is used up. From a load shedder it refuses a caller, with 503 as its `refusalStatus`. From a shaper or
 * an outbound limiter it is a failure of a call of ours, and has none.
 */
export class OverloadedError extends MacadamError {
  /** Why the work was rejected. */
  readonly reason: OverloadReason;
  /**
   * With the reason `priority`: the latest sign of overload, whose value and threshold are in the message. Undefined with
   * other reasons.
   */
  readonly signal: OverloadSignal | undefined;
  /** The priority of the rejected work. */
  readonly priority: Priority;
  /**
   * When to retry, in milliseconds; random around a mean where a load shedder rejects, so that callers do not retry
   * together.
   */
  readonly retryAfterMs: number;

  constructor(
    message: string,
    data: {
      reason: OverloadReason;
      signal?: OverloadSignal | undefined;
      priority: Priority;
      retryAfterMs: number;
      refusalStatus?: number;
    },
  ) {
    super(message, { code: 'MAC_OVERLOADED', retryable: true, refusalStatus: data.refusalStatus, stack: false });
    this.reason = data.reason;
    this.signal = data.signal;
    this.priority = data.priority;
    this.retryAfterMs = data.retryAfterMs;
  }
}
OverloadedError.prototype.name = 'OverloadedError';
