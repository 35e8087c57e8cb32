import {
  assertBoolean,
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertText,
  type Clock,
} from '@macadam/core';
import type { Environment } from './environment.ts';
import { assertExporter } from './assert-exporter.ts';
import type { LogOptions } from './logs.ts';
import type { MetricOptions } from './metrics.ts';
import { assertResource, type ServiceIdentity } from './resource.ts';
import type { TraceOptions } from './traces.ts';

/** Options of `startTelemetry`. */
export interface TelemetryOptions extends ServiceIdentity {
  /** Options of spans; `false` sends none. Default: by the environment variables. */
  traces?: TraceOptions | false;
  /** Options of metrics; `false` sends none. Default: by the environment variables. */
  metrics?: MetricOptions | false;
  /**
   * Options of log records, which are the lines of loggers with `otelLogs()` as their destination; `false` sends none.
   * Default: by the environment variables.
   */
  logs?: LogOptions | false;
  /**
   * Whether event-loop delay and utilisation, garbage collections and heap are metrics. Default: true, when metrics
   * are sent.
   */
  runtimeMetrics?: boolean;
  /** Time limit of `shutdown` and of `flush`, in milliseconds, above 0. Default: 5,000. */
  shutdownTimeoutMs?: number;
  /** Called with what is wrong with the set-up or with sending. Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
  /** The environment variables. Default: `process.env`. */
  env?: Environment;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

const OPTION_NAMES: readonly (keyof TelemetryOptions)[] = [
  ...(['serviceName', 'serviceVersion', 'environment', 'resource', 'traces', 'metrics', 'logs'] as const),
  ...(['runtimeMetrics', 'shutdownTimeoutMs', 'onWarning', 'env', 'clock'] as const),
];

/** @throws OptionsError for an invalid option. */
export function assertTelemetryOptions(options: TelemetryOptions): void {
  const where = 'startTelemetry';
  assertObject(where, options);
  assertKnownOptions(where, options, OPTION_NAMES);
  assertText(`${where}.serviceName`, options.serviceName);
  for (const name of ['serviceVersion', 'environment'] as const) {
    if (options[name] !== undefined) assertText(`${where}.${name}`, options[name]);
  }
  if (options.resource !== undefined) assertResource(`${where}.resource`, options.resource);
  if (options.env !== undefined) assertObject(`${where}.env`, options.env);
  if (options.clock !== undefined) assertClock(`${where}.clock`, options.clock);
  if (options.runtimeMetrics !== undefined) assertBoolean(`${where}.runtimeMetrics`, options.runtimeMetrics);
  if (options.shutdownTimeoutMs !== undefined)
    assertDurationMs(`${where}.shutdownTimeoutMs`, options.shutdownTimeoutMs);
  if (options.onWarning !== undefined) assertFunction(`${where}.onWarning`, options.onWarning);
  const { traces, metrics, logs } = options;
  if (traces !== undefined && traces !== false) {
    assertObject(`${where}.traces`, traces);
    assertKnownOptions(`${where}.traces`, traces, ['sampleRatio', 'exporter']);
    assertExporter(`${where}.traces.exporter`, traces.exporter);
    if (traces.sampleRatio !== undefined)
      assertNumber(`${where}.traces.sampleRatio`, traces.sampleRatio, { min: 0, max: 1 });
  }
  if (metrics !== undefined && metrics !== false) {
    assertObject(`${where}.metrics`, metrics);
    assertKnownOptions(`${where}.metrics`, metrics, ['intervalMs', 'maxSeries', 'exporter']);
    assertExporter(`${where}.metrics.exporter`, metrics.exporter);
    if (metrics.intervalMs !== undefined) assertDurationMs(`${where}.metrics.intervalMs`, metrics.intervalMs);
    if (metrics.maxSeries !== undefined) assertInteger(`${where}.metrics.maxSeries`, metrics.maxSeries, { min: 1 });
  }
  if (logs !== undefined && logs !== false) {
    assertObject(`${where}.logs`, logs);
    assertKnownOptions(`${where}.logs`, logs, ['exporter']);
    assertExporter(`${where}.logs.exporter`, logs.exporter);
  }
}
