/** An OpenTelemetry SDK that records spans and metrics as in a service; the exporter discards them. */
export async function recording(): Promise<void> {
  const [api, hooks, traces, meters] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/sdk-metrics'),
  ]);
  api.context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  // The cost of an exporter is not measured.
  const nowhere = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} };
  api.trace.setGlobalTracerProvider(new traces.TracerProvider({ spanProcessors: [nowhere] }));
  const exporter = new meters.InMemoryMetricExporter(meters.AggregationTemporality.CUMULATIVE);
  const reader = new meters.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  api.metrics.setGlobalMeterProvider(new meters.MeterProvider({ readers: [reader] }));
}

/** The same with `startTelemetry`, which exports spans in batches. */
export async function recordingByTelemetry(): Promise<void> {
  const [{ startTelemetry }, { AggregationTemporality, InMemoryMetricExporter }] = await Promise.all([
    import('@macadam/telemetry/node'),
    import('@opentelemetry/sdk-metrics'),
  ]);
  const nowhere = {
    export: (_: unknown, done: (result: { code: 0 }) => void) => done({ code: 0 }),
    shutdown: async () => {},
  };
  startTelemetry({
    serviceName: 'bench',
    env: {},
    traces: { exporter: nowhere },
    metrics: { exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), intervalMs: 3_600_000 },
    logs: false,
    // Metrics of the process are not part of a call.
    runtimeMetrics: false,
  });
}
