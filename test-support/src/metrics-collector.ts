import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';

export interface MetricsCollector {
  /** Exports all metrics: values by `metric{attribute value,attribute value}`; for a histogram its count. */
  collect(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

/** Collects the metrics of this process in memory until it is closed. */
export function startMetricsCollector(): MetricsCollector {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  return {
    async collect() {
      exporter.reset();
      await reader.forceFlush();
      const exported = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
      const points = exported.flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => {
          const name = `${descriptor.name}{${Object.values(attributes).join()}}`;
          return [name, typeof value === 'number' ? value : value.count] as const;
        }),
      );
      return Object.fromEntries(points);
    },
    async close() {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
