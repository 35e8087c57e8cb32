export { adaptiveConcurrency } from './adaptive-concurrency/adaptive-concurrency.ts';
export type { AdaptiveConcurrencyOptions } from './adaptive-concurrency/adaptive-concurrency.ts';
export type { LimitBounds } from './adaptive-concurrency/limit.ts';
export { WindowedLimit } from './adaptive-concurrency/windowed-limit.ts';
export type { WindowedLimitOptions } from './adaptive-concurrency/windowed-limit.ts';
export { bulkhead } from './bulkhead.ts';
export type { BulkheadOptions } from './bulkhead.ts';
export { circuitBreaker } from './circuit-breaker/circuit-breaker.ts';
export type { CircuitBreaker } from './circuit-breaker/circuit-breaker.ts';
export { circuitBreakers } from './circuit-breaker/circuit-breakers.ts';
export type { CircuitBreakers, CircuitBreakersOptions } from './circuit-breaker/circuit-breakers.ts';
export type { CircuitBreakerOptions, StateChange } from './circuit-breaker/options.ts';
export type { CircuitState, Verdict } from './circuit-breaker/state.ts';
export { consecutiveFailures, failureRate, slowCallRate } from './circuit-breaker/trip-rule.ts';
export type {
  ConsecutiveFailuresOptions,
  FailureRateOptions,
  RateWindowOptions,
  SlowCallRateOptions,
  TripMeter,
  TripRule,
} from './circuit-breaker/trip-rule.ts';
export { wasCutShort } from './cut-short.ts';
export { AttemptsExhaustedError, BulkheadFullError, CircuitOpenError, ConcurrencyLimitedError } from './errors.ts';
export type { CircuitOpenDetails, GaveUpReason } from './errors.ts';
export { fallback } from './fallback.ts';
export type { FallbackOptions } from './fallback.ts';
export { hedge } from './hedge/hedge.ts';
export type { HedgeOptions } from './hedge/options.ts';
export type { KeyedOptions } from './keyed.ts';
export { paced } from './paced.ts';
export type { PacedAttempt, PacedOptions, PacedTurn, Pacer } from './paced.ts';
export { pipeline } from './pipeline.ts';
export type { Pipeline } from './pipeline.ts';
export type {
  ExecuteContext,
  ExecuteFunction,
  ExecuteOptions,
  Outcome,
  Policy,
  PolicyKind,
  PolicyStats,
  Route,
} from './policy.ts';
export { constant, decorrelatedJitter, exponential, fullJitter, linear } from './retry/backoff.ts';
export type { Backoff, BackoffInput, ConstantOptions, ExponentialOptions, GrowingOptions } from './retry/backoff.ts';
export type { RetryOptions } from './retry/options.ts';
export { retry } from './retry/retry.ts';
export { concurrentRetryBudget } from './retry/concurrent-retry-budget.ts';
export type { ConcurrentRetryBudgetOptions } from './retry/concurrent-retry-budget.ts';
export { retryBudgets } from './retry/retry-budgets.ts';
export type { RetryBudgets, RetryBudgetsOptions } from './retry/retry-budgets.ts';
export { retryQuota } from './retry/retry-quota.ts';
export type { RetryQuotaOptions } from './retry/retry-quota.ts';
export { retryThrottle } from './retry/retry-throttle.ts';
export type { RetryThrottleOptions } from './retry/retry-throttle.ts';
export { retryBudget, unlimitedRetries } from './retry/retry-budget.ts';
export type { RetryBudget, RetryBudgetOptions } from './retry/retry-budget.ts';
export { routed } from './routed.ts';
export type { RoutedOptions } from './routed.ts';
export { singleFlight } from './single-flight.ts';
export type { SingleFlight, SingleFlightOptions } from './single-flight.ts';
export { standardPipeline } from './standard-pipeline.ts';
export type { StandardPipelineOptions } from './standard-pipeline.ts';
export { timeout } from './timeout.ts';
export type { TimeoutOptions } from './timeout.ts';
