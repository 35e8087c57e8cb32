/** The parts of the SDK's metrics that this package uses: the only import of them. */
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
