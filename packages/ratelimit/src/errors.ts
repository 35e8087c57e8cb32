import { MacadamError, type Priority } from '@macadam/core';
import type { Decision } from './decision.ts';

/** No tokens in time. Code `MAC_RATE_LIMITED`, retryable after `retryAfterMs`. An HTTP server answers 429. */
export class RateLimitedError extends MacadamError {
  /** The limiter's name. */
  readonly limiter: string;
  /** The limit that denied it. */
  readonly policy: string;
  readonly limit: number;
  readonly remaining: number;
  /** When the same request would be allowed, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(limiter: string, decision: Pick<Decision, 'limit' | 'policy' | 'remaining' | 'retryAfterMs'>) {
    super(`Rate limit "${decision.policy}" of "${limiter}" allows this again in ${decision.retryAfterMs} ms`, {
      code: 'MAC_RATE_LIMITED',
      retryable: true,
      stack: false,
    });
    this.limiter = limiter;
    this.policy = decision.policy;
    this.limit = decision.limit;
    this.remaining = decision.remaining;
    this.retryAfterMs = decision.retryAfterMs;
  }
}
RateLimitedError.prototype.name = 'RateLimitedError';

/** A request that costs more than the limit can ever give: waiting does not help. Code `MAC_COST_ABOVE_CAPACITY`. */
export class CostAboveCapacityError extends MacadamError {
  readonly cost: number;
  /** The most one request may cost. */
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

/** The shared store cannot decide, and the limiter is told to fail closed. Code `MAC_RATE_LIMIT_STORE`, retryable. */
export class RateLimitStoreError extends MacadamError {
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

export type OverloadReason = 'deadline' | 'full' | 'priority' | 'tooLong';

/**
 * There is more work than this process can do in time. Code `MAC_OVERLOADED`, retryable after `retryAfterMs`. An HTTP
 * server answers 503: nobody's quota is used up.
 */
export class OverloadedError extends MacadamError {
  readonly reason: OverloadReason;
  readonly priority: Priority;
  /** When to come back, in milliseconds; drawn at random around a mean, so that callers do not come back together. */
  readonly retryAfterMs: number;

  constructor(message: string, data: { reason: OverloadReason; priority: Priority; retryAfterMs: number }) {
    super(message, { code: 'MAC_OVERLOADED', retryable: true, stack: false });
    this.reason = data.reason;
    this.priority = data.priority;
    this.retryAfterMs = data.retryAfterMs;
  }
}
OverloadedError.prototype.name = 'OverloadedError';
