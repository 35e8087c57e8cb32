/** What is used of the SDK's metrics. */
export {
  AggregationTemporality,
  AggregationType,
  type CollectionResult,
  DataPointType,
  type Histogram as HistogramValue,
  type HistogramMetricData,
  InstrumentType,
  MeterProvider,
  type MeterProviderOptions,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';
