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
  connectMetrics,
  systemClock,
} from '@macadam/core';
import { metrics, propagation } from '@opentelemetry/api';
import { observeLogs, TELEMETRY } from '../instruments.ts';
import { apiCopies } from './api-copies.ts';
import { type Environment, isDisabled, otlpTarget, type OtlpTarget, samplerRatio, type Signal } from './environment.ts';
import { assertExporter, type OtlpExporter, warnOfFailures } from './export-failures.ts';
import { type LogOptions, startLogs } from './logs.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_MAX_SERIES, type MetricOptions, startMetrics } from './metrics.ts';
import { otlpLogs, otlpMetrics, otlpTraces } from './otlp.ts';
import { registerPropagator } from './propagator.ts';
import { assertResource, type ServiceIdentity, serviceResource } from './resource.ts';
import { observeRuntime } from './runtime-metrics.ts';
import type { RunningSignal } from './signal.ts';
import { startTraces, type TraceOptions } from './traces.ts';

export interface TelemetryOptions extends ServiceIdentity {
  /** Spans; `false` sends none. Default: what the environment says. */
  traces?: TraceOptions | false;
  /** Metrics; `false` sends none. Default: what the environment says. */
  metrics?: MetricOptions | false;
  /** Lines of loggers with `otelLogs()` as their destination; `false` sends none. Default: what the environment says. */
  logs?: LogOptions | false;
  /** Event-loop delay and utilisation, garbage collections, heap. Default: true, when metrics are sent. */
  runtimeMetrics?: boolean;
  /** How long `shutdown` may take in all, in milliseconds. Default: 5,000. */
  shutdownTimeoutMs?: number;
  /** Told what is wrong with the set-up. Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
  /** Default: `process.env`. */
  env?: Environment;
  /** Default: the system clock. */
  clock?: Clock;
}

/** The running SDK. */
export interface Telemetry {
  /** Whether anything is sent. */
  readonly enabled: boolean;
  /** Sends what waits. Never rejects; settles within `shutdownTimeoutMs`. */
  flush(): Promise<void>;
  /** Sends what waits and stops: traces, then logs, then metrics, which count both. Never rejects; a second call is the first. */
  shutdown(): Promise<void>;
  describe(): string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const OPTION_NAMES: readonly (keyof TelemetryOptions)[] = [
  ...(['serviceName', 'serviceVersion', 'environment', 'resource', 'traces', 'metrics', 'logs'] as const),
  ...(['runtimeMetrics', 'shutdownTimeoutMs', 'onWarning', 'env', 'clock'] as const),
];

/**
 * Sets up the OpenTelemetry SDK: traces, metrics and logs over OTLP, as the standard environment variables say
 * (`OTEL_EXPORTER_OTLP_ENDPOINT` and its like). Without an endpoint and without exporters nothing is registered, and
 * instrumentation stays a no-op. No module is patched.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option or a wrong variable.
 * @example
 * ```ts
 * import { startTelemetry } from '@macadam/telemetry/node';
 *
 * const telemetry = startTelemetry({ serviceName: 'orders' });
 * await telemetry.shutdown();
 * ```
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  assertOptions(options);
  const { env = process.env, clock = systemClock, shutdownTimeoutMs = 5_000 } = options;
  const warn = warning(options.onWarning);
  const running = isDisabled(env) ? [] : startSignals(options, env, warn);
  const enabled = running.length > 0;
  const propagates = enabled && registerPropagator();
  if (enabled) {
    if (!propagates) warn('Another OpenTelemetry propagator is registered already; it stays.');
    const copies = apiCopies();
    if (copies !== undefined) warn(copies);
  }

  const withinLimit = async (one: (signal: RunningSignal) => Promise<void>): Promise<void> => {
    let expired = false;
    let wake = (): void => {};
    const timer = clock.setTimer(() => {
      expired = true;
      wake();
    }, shutdownTimeoutMs);
    for (const signal of running) {
      if (expired) break;
      const failed = (error: unknown): void =>
        warn(`${signal.description}: ${error instanceof Error ? error.name : 'failed'}`);
      await Promise.race([one(signal).catch(failed), new Promise<void>((resolve) => (wake = resolve))]);
    }
    timer.cancel();
    if (expired) warn(`Telemetry was not sent within ${shutdownTimeoutMs} ms; the rest is lost.`);
  };

  let stopped: Promise<void> | undefined;
  const shutdown = (): Promise<void> => {
    stopped ??= withinLimit((signal) => signal.shutdown()).then(() => {
      for (const signal of running) signal.unregister();
      // Another one's stays when we go, as it stayed when we came.
      if (propagates) propagation.disable();
    });
    return stopped;
  };
  return {
    enabled,
    flush: () => (stopped !== undefined ? stopped : withinLimit((signal) => signal.flush())),
    shutdown,
    describe: () =>
      enabled
        ? `sends ${running.map(({ description }) => description).join('; ')} for ${options.serviceName}`
        : 'sends nothing: no OTLP endpoint is configured',
    close: shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}

/** Whoever is told may fail: neither the start nor the shutdown does with them. */
function warning(tell: TelemetryOptions['onWarning']): (message: string) => void {
  if (tell === undefined) return (message) => process.emitWarning(message, { code: 'MAC_TELEMETRY' });
  return (message) => {
    try {
      tell(message);
    } catch {
      // There is nobody else to tell.
    }
  };
}

/** In the order in which they are shut down. */
function startSignals(options: TelemetryOptions, env: Environment, warn: (message: string) => void): RunningSignal[] {
  const traces = options.traces === false ? undefined : (options.traces ?? {});
  const measured = options.metrics === false ? undefined : (options.metrics ?? {});
  const logged = options.logs === false ? undefined : (options.logs ?? {});
  const otlp = <E extends OtlpExporter>(signal: Signal, make: (target: OtlpTarget) => E): E | undefined => {
    const target = otlpTarget(signal, env);
    return target && warnOfFailures(make(target), signal, target, warn);
  };
  const exporters = {
    traces: traces && (traces.exporter ?? otlp('traces', otlpTraces)),
    metrics: measured && (measured.exporter ?? otlp('metrics', otlpMetrics)),
    logs: logged && (logged.exporter ?? otlp('logs', otlpLogs)),
  };
  if (exporters.traces === undefined && exporters.metrics === undefined && exporters.logs === undefined) return [];

  // All that may be wrong is read before anything is registered: who mends it and starts again finds the place free.
  const sampleRatio = traces?.sampleRatio ?? samplerRatio(env) ?? 1;
  const intervalMs = measured?.intervalMs ?? intervalFrom(env) ?? DEFAULT_INTERVAL_MS;
  const resource = serviceResource(options);
  const running: RunningSignal[] = [];
  const add = (name: string, signal: RunningSignal & { registered: boolean }): void => {
    running.push(signal);
    if (!signal.registered) warn(`Another OpenTelemetry SDK has registered its ${name} already; these go nowhere.`);
  };
  if (exporters.traces !== undefined) {
    add('traces', startTraces(exporters.traces, sampleRatio, resource));
  }
  if (exporters.logs !== undefined) add('logs', startLogs(exporters.logs, resource));
  if (exporters.metrics !== undefined) {
    const signal = startMetrics(exporters.metrics, intervalMs, measured?.maxSeries ?? DEFAULT_MAX_SERIES, resource);
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

function intervalFrom(env: Environment): number | undefined {
  const text = env['OTEL_METRIC_EXPORT_INTERVAL'];
  if (text === undefined || text === '') return undefined;
  const intervalMs = Number(text);
  assertDurationMs('OTEL_METRIC_EXPORT_INTERVAL', Number.isNaN(intervalMs) ? text : intervalMs);
  return intervalMs;
}

function assertOptions(options: TelemetryOptions): void {
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
  const { traces, metrics: measured, logs } = options;
  if (traces !== undefined && traces !== false) {
    assertObject(`${where}.traces`, traces);
    assertKnownOptions(`${where}.traces`, traces, ['sampleRatio', 'exporter']);
    assertExporter(`${where}.traces.exporter`, traces.exporter);
    if (traces.sampleRatio !== undefined)
      assertNumber(`${where}.traces.sampleRatio`, traces.sampleRatio, { min: 0, max: 1 });
  }
  if (measured !== undefined && measured !== false) {
    assertObject(`${where}.metrics`, measured);
    assertKnownOptions(`${where}.metrics`, measured, ['intervalMs', 'maxSeries', 'exporter']);
    assertExporter(`${where}.metrics.exporter`, measured.exporter);
    if (measured.intervalMs !== undefined) assertDurationMs(`${where}.metrics.intervalMs`, measured.intervalMs);
    if (measured.maxSeries !== undefined) assertInteger(`${where}.metrics.maxSeries`, measured.maxSeries, { min: 1 });
  }
  if (logs !== undefined && logs !== false) {
    assertObject(`${where}.logs`, logs);
    assertKnownOptions(`${where}.logs`, logs, ['exporter']);
    assertExporter(`${where}.logs.exporter`, logs.exporter);
  }
}
