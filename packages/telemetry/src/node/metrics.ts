import type { Clock } from '@macadam/core';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from './metrics-sdk.ts';
import { choiceFrom, type Environment } from './environment.ts';
import { CountingMeterProvider, Histograms } from './histograms.ts';
import type { Resource } from './resource.ts';
import type { RunningSignal } from './signal.ts';

/** Options of the metrics that are sent. */
export interface MetricOptions {
  /** Export interval, in milliseconds. Default: `OTEL_METRIC_EXPORT_INTERVAL`, else 60,000. */
  intervalMs?: number;
  /**
   * Maximum number of series of one instrument (cardinality limit); further ones are counted together. Default: 2,000,
   * by the OpenTelemetry specification.
   */
  maxSeries?: number;
  /** Where metrics are sent. Default: OTLP, by the environment variables. */
  exporter?: PushMetricExporter;
}

export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_MAX_SERIES = 2_000;

const TEMPORALITIES = ['cumulative', 'delta', 'lowmemory'] as const;
const HISTOGRAMS = ['explicit_bucket_histogram', 'base2_exponential_bucket_histogram'] as const;

/**
 * The instruments that export changes since the last export, by `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. All others
 * export totals since the start.
 */
const DELTA_INSTRUMENTS: Readonly<Record<(typeof TEMPORALITIES)[number], ReadonlySet<InstrumentType>>> = {
  cumulative: new Set(),
  delta: new Set([
    ...[InstrumentType.COUNTER, InstrumentType.OBSERVABLE_COUNTER, InstrumentType.HISTOGRAM],
    ...[InstrumentType.GAUGE, InstrumentType.OBSERVABLE_GAUGE],
  ]),
  lowmemory: new Set([InstrumentType.COUNTER, InstrumentType.HISTOGRAM]),
};

/** Returns the exporter with the temporality and the histogram aggregation that the environment variables ask for. */
export function withAggregation(
  exporter: Pick<PushMetricExporter, 'export' | 'forceFlush' | 'shutdown'>,
  env: Environment,
): PushMetricExporter {
  const prefix = 'OTEL_EXPORTER_OTLP_METRICS_';
  const deltas = DELTA_INSTRUMENTS[choiceFrom(env, `${prefix}TEMPORALITY_PREFERENCE`, TEMPORALITIES) ?? 'cumulative'];
  const histogram = choiceFrom(env, `${prefix}DEFAULT_HISTOGRAM_AGGREGATION`, HISTOGRAMS);
  const isExponential = histogram === 'base2_exponential_bucket_histogram';
  return {
    ...exporter,
    selectAggregationTemporality: (type) =>
      deltas.has(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
    selectAggregation: (type) => ({
      type:
        isExponential && type === InstrumentType.HISTOGRAM
          ? AggregationType.EXPONENTIAL_HISTOGRAM
          : AggregationType.DEFAULT,
    }),
  };
}

export interface MetricSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly maxSeries: number;
}

export function startMetrics(
  exporter: PushMetricExporter,
  { intervalMs, timeoutMs, maxSeries }: MetricSettings,
  resource: Resource,
  clock: Clock,
): RunningSignal & { registered: boolean } {
  const histograms = createHistograms(exporter, maxSeries, resource, clock);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    // At most the interval, so that two collections never overlap.
    exportTimeoutMillis: Math.min(intervalMs, timeoutMs),
    cardinalityLimits: { default: maxSeries },
    metricProducers: histograms === undefined ? [] : [histograms],
  });
  const options = { resource, readers: [reader] };
  const provider = histograms ? new CountingMeterProvider(options, histograms) : new MeterProvider(options);
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

/** Undefined if the exporter asks for histograms without explicit buckets, which the SDK counts. */
function createHistograms(
  exporter: PushMetricExporter,
  maxSeries: number,
  resource: Resource,
  clock: Clock,
): Histograms | undefined {
  const { HISTOGRAM } = InstrumentType;
  const aggregation = exporter.selectAggregation?.(HISTOGRAM).type ?? AggregationType.DEFAULT;
  if (aggregation !== AggregationType.DEFAULT) return undefined;
  const temporality = exporter.selectAggregationTemporality?.(HISTOGRAM) ?? AggregationTemporality.CUMULATIVE;
  return new Histograms({ resource, maxSeries, temporality, now: () => clock.now() });
}
