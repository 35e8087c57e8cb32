export type { Environment } from './node/environment.ts';
export type { LogOptions } from './node/logs.ts';
export type { MetricOptions } from './node/metrics.ts';
export { otelLogs } from './node/otel-logs.ts';
export type { ServiceIdentity } from './node/resource.ts';
export { startTelemetry } from './node/start-telemetry.ts';
export type { Telemetry } from './node/start-telemetry.ts';
export type { TelemetryOptions } from './node/telemetry-options.ts';
export type { TraceOptions } from './node/traces.ts';
