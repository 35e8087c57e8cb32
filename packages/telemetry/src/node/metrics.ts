import { metrics } from '@opentelemetry/api';
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { Resource } from './resource.ts';
import type { RunningSignal } from './signal.ts';

export interface MetricOptions {
  /** How often metrics are sent, in milliseconds. Default: `OTEL_METRIC_EXPORT_INTERVAL`, else 60,000. */
  intervalMs?: number;
  /** Most series of one instrument; what comes beyond is counted together. Default: 2,000, as the specification has it. */
  maxSeries?: number;
  /** Where metrics go. Default: OTLP, as the environment says. */
  exporter?: PushMetricExporter;
}

export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_MAX_SERIES = 2_000;

export function startMetrics(
  exporter: PushMetricExporter,
  intervalMs: number,
  maxSeries: number,
  resource: Resource,
): RunningSignal & { registered: boolean } {
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 30_000),
    cardinalityLimits: { default: maxSeries },
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  const registered = metrics.setGlobalMeterProvider(provider);
  return {
    registered,
    description: `metrics every ${intervalMs} ms, at most ${maxSeries} series an instrument`,
    flush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
    unregister: () => {
      if (registered) metrics.disable();
    },
  };
}
