import { type Clock, connectMetrics } from '@macadam/core';
import { metrics } from '@opentelemetry/api';
import { observeLogs, TELEMETRY } from '../instruments.ts';
import { ExportMonitor, queueMonitor } from './export-monitor.ts';
import { durationFrom, type Environment, type Signal, timeoutFrom } from './environment.ts';
import { startLogs } from './logs.ts';
import { withAggregation, DEFAULT_INTERVAL_MS, DEFAULT_MAX_SERIES, startMetrics } from './metrics.ts';
import { otlpTarget, type OtlpTarget } from './otlp-target.ts';
import { otlpLogExporter, otlpMetricExporter, otlpTraceExporter } from './otlp.ts';
import { serviceResource } from './resource.ts';
import { observeRuntime } from './runtime-metrics.ts';
import { attributeLimitsFrom, batchingFrom, samplingFrom, spanLimitsFrom } from './sdk-settings.ts';
import type { RunningSignal } from './signal.ts';
import type { TelemetryOptions } from './telemetry-options.ts';
import { MAX_ATTRIBUTE_LENGTH, startTraces } from './traces.ts';

type Warn = (message: string) => void;

/** Starts the signals that have an exporter, in the order in which they are shut down. Empty if there is none. */
export function startSignals(options: TelemetryOptions, env: Environment, clock: Clock, warn: Warn): RunningSignal[] {
  const traces = options.traces === false ? undefined : (options.traces ?? {});
  const metered = options.metrics === false ? undefined : (options.metrics ?? {});
  const logged = options.logs === false ? undefined : (options.logs ?? {});
  const otlp = <E>(signal: Signal, make: (target: OtlpTarget, monitor: ExportMonitor) => E): E | undefined => {
    const target = otlpTarget(signal, env);
    return target && make(target, new ExportMonitor(signal, target, warn, clock));
  };
  const exporters = {
    traces: traces && (traces.exporter ?? otlp('traces', otlpTraceExporter)),
    metrics:
      metered && (metered.exporter ?? otlp('metrics', (...args) => withAggregation(otlpMetricExporter(...args), env))),
    logs: logged && (logged.exporter ?? otlp('logs', otlpLogExporter)),
  };
  if (exporters.traces === undefined && exporters.metrics === undefined && exporters.logs === undefined) return [];

  // Every setting is validated before anything is registered, so that a corrected second start finds nothing in its way.
  const traceSettings = {
    sampling:
      traces?.sampleRatio === undefined
        ? (samplingFrom(env) ?? { ratio: 1, parentFirst: true })
        : { ratio: traces.sampleRatio, parentFirst: true },
    batching: batchingFrom('BSP', env),
    limits: spanLimitsFrom(env, MAX_ATTRIBUTE_LENGTH),
  };
  const logSettings = { batching: batchingFrom('BLRP', env), limits: attributeLimitsFrom('LOGRECORD', env, Infinity) };
  const metricSettings = {
    intervalMs: metered?.intervalMs ?? durationFrom(env, 'OTEL_METRIC_EXPORT_INTERVAL') ?? DEFAULT_INTERVAL_MS,
    timeoutMs: timeoutFrom(env, 'OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000,
    maxSeries: metered?.maxSeries ?? DEFAULT_MAX_SERIES,
  };
  const resource = serviceResource(options, env);
  const running: RunningSignal[] = [];
  const add = (name: string, signal: RunningSignal & { registered: boolean }): void => {
    running.push(signal);
    if (!signal.registered)
      warn(`Another OpenTelemetry SDK is registered for ${name}: those of startTelemetry are not sent.`);
  };
  if (exporters.traces !== undefined) {
    const queue = queueMonitor('traces', traceSettings.batching.maxQueueSize, warn, clock);
    add('traces', startTraces(exporters.traces, traceSettings, resource, queue, clock));
  }
  if (exporters.logs !== undefined) {
    const queue = queueMonitor('logs', logSettings.batching.maxQueueSize, warn, clock);
    add('logs', startLogs(exporters.logs, logSettings, resource, queue));
  }
  if (exporters.metrics !== undefined) {
    const signal = startMetrics(exporters.metrics, metricSettings, resource, clock);
    add('metrics', signal.registered ? withInstruments(signal, options.runtimeMetrics ?? true) : signal);
  }
  return running;
}

function withInstruments<S extends RunningSignal>(signal: S, runtime: boolean): S {
  const meter = metrics.getMeter(TELEMETRY.scope);
  // Also exports objects that were created before there was an SDK, such as clients at the top level of a module.
  connectMetrics();
  const stops = [observeLogs(meter), ...(runtime ? [observeRuntime(meter)] : [])];
  return {
    ...signal,
    // Not in `shutdown`, which collects a last time.
    unregister: () => {
      for (const stop of stops) stop();
      signal.unregister();
    },
  };
}
