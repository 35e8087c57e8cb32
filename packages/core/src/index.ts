export { abortable, onAbort, timeoutOf } from './abort.ts';
export type { Unsubscribe } from './abort.ts';
export { isMacadamError } from './brand.ts';
export { sleepWith, systemClock, timerlessClock } from './clock.ts';
export type { Clock, Timer } from './clock.ts';
export { ClosedError } from './closed-error.ts';
export { deadlineAfter } from './deadline.ts';
export type { Deadline } from './deadline.ts';
export { MacadamError, OptionsError, TimeoutError, underPath, withheld } from './errors.ts';
export type { AttemptRecord, MacadamErrorOptions } from './errors.ts';
export { ExpiryQueue, Expiring } from './expiry-queue.ts';
export {
  assertBoolean,
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertSignal,
  assertText,
} from './options.ts';
export type { Range } from './options.ts';
export { connectMetrics, PackageMetrics, SECONDS_BOUNDARIES } from './package-metrics.ts';
export type {
  HistogramLike,
  HistogramMetric,
  MeterLike,
  MeterProviderLike,
  MetricOptions,
  PackageMetricsOptions,
} from './package-metrics.ts';
export { systemRandom } from './random.ts';
export type { Random } from './random.ts';
export { RecencyMap } from './recency-map.ts';
export { parseHttpDate, parseRetryAfter } from './retry-after.ts';
export type { RetryAfterHeaders } from './retry-after.ts';
export { currentScope, ownRetries, RetryScope, retriesOwnedUpstream, runAtRoot, runDetached } from './scope.ts';
export type { Scope } from './scope.ts';
export type { Counting, MetricAttributes, StatsMetric, StatsSource } from './stats-metrics.ts';
export type {
  AttributeBound,
  AttributeDescription,
  AttributeType,
  LogEventDescription,
  MetricDescription,
  SpanDescription,
  TelemetryDescription,
} from './telemetry-names.ts';
export { WaitingLine } from './waiting-line.ts';
export type { Waiting } from './waiting-line.ts';
export { currentWork, priorities, runWork } from './work.ts';
export type { Priority, Work, WorkOptions } from './work.ts';
