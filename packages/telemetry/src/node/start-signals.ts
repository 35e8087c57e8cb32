import { type Clock, connectMetrics } from '@macadam/core';
import { metrics } from '@opentelemetry/api';
import { observeLogs, TELEMETRY } from '../instruments.ts';
import { Delivery, watchQueue } from './delivery.ts';
import { durationFrom, type Environment, type Signal, timeoutFrom } from './environment.ts';
import { startLogs } from './logs.ts';
import { aggregating, DEFAULT_INTERVAL_MS, DEFAULT_MAX_SERIES, startMetrics } from './metrics.ts';
import { otlpTarget, type OtlpTarget } from './otlp-target.ts';
import { otlpLogs, otlpMetrics, otlpTraces } from './otlp.ts';
import { serviceResource } from './resource.ts';
import { observeRuntime } from './runtime-metrics.ts';
import { attributeLimitsFrom, batchingFrom, samplingFrom, spanLimitsFrom } from './sdk-settings.ts';
import type { RunningSignal } from './signal.ts';
import type { TelemetryOptions } from './telemetry-options.ts';
import { LONGEST_ATTRIBUTE, startTraces } from './traces.ts';

type Warn = (message: string) => void;

/** In the order in which they are shut down. */
export function startSignals(options: TelemetryOptions, env: Environment, clock: Clock, warn: Warn): RunningSignal[] {
  const traces = options.traces === false ? undefined : (options.traces ?? {});
  const measured = options.metrics === false ? undefined : (options.metrics ?? {});
  const logged = options.logs === false ? undefined : (options.logs ?? {});
  const otlp = <E>(signal: Signal, make: (target: OtlpTarget, delivery: Delivery) => E): E | undefined => {
    const target = otlpTarget(signal, env);
    return target && make(target, new Delivery(signal, target, warn, clock));
  };
  const exporters = {
    traces: traces && (traces.exporter ?? otlp('traces', otlpTraces)),
    metrics: measured && (measured.exporter ?? otlp('metrics', (...args) => aggregating(otlpMetrics(...args), env))),
    logs: logged && (logged.exporter ?? otlp('logs', otlpLogs)),
  };
  if (exporters.traces === undefined && exporters.metrics === undefined && exporters.logs === undefined) return [];

  // All that may be wrong is read before anything is registered: who mends it and starts again finds the place free.
  const traceSettings = {
    sampling:
      traces?.sampleRatio === undefined
        ? (samplingFrom(env) ?? { ratio: 1, parentFirst: true })
        : { ratio: traces.sampleRatio, parentFirst: true },
    batching: batchingFrom('BSP', env),
    limits: spanLimitsFrom(env, LONGEST_ATTRIBUTE),
  };
  const logSettings = { batching: batchingFrom('BLRP', env), limits: attributeLimitsFrom('LOGRECORD', env, Infinity) };
  const metricSettings = {
    intervalMs: measured?.intervalMs ?? durationFrom(env, 'OTEL_METRIC_EXPORT_INTERVAL') ?? DEFAULT_INTERVAL_MS,
    timeoutMs: timeoutFrom(env, 'OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000,
    maxSeries: measured?.maxSeries ?? DEFAULT_MAX_SERIES,
  };
  const resource = serviceResource(options, env);
  const running: RunningSignal[] = [];
  const add = (name: string, signal: RunningSignal & { registered: boolean }): void => {
    running.push(signal);
    if (!signal.registered) warn(`Another OpenTelemetry SDK has registered its ${name} already; these go nowhere.`);
  };
  if (exporters.traces !== undefined) {
    const queue = watchQueue('traces', traceSettings.batching.maxQueueSize, warn, clock);
    add('traces', startTraces(exporters.traces, traceSettings, resource, queue, clock));
  }
  if (exporters.logs !== undefined) {
    const queue = watchQueue('logs', logSettings.batching.maxQueueSize, warn, clock);
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
  // What was made before there was an SDK, such as clients at the top of a module, is read from now on too.
  connectMetrics();
  const stops = [observeLogs(meter), ...(runtime ? [observeRuntime(meter)] : [])];
  return {
    ...signal,
    // Only after the last collection, which belongs to the shutdown.
    unregister: () => {
      for (const stop of stops) stop();
      signal.unregister();
    },
  };
}
