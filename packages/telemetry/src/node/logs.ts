import { logs } from '@opentelemetry/api';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { Resource } from './resource.ts';
import type { RunningSignal } from './signal.ts';

export interface LogOptions {
  /** Where log records go. Default: OTLP, as the environment says. */
  exporter?: LogRecordExporter;
}

export function startLogs(exporter: LogRecordExporter, resource: Resource): RunningSignal & { registered: boolean } {
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
  const registered = logs.setGlobalLoggerProvider(provider);
  return {
    registered,
    description: 'logs (of loggers with otelLogs() as their destination)',
    flush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
    unregister: () => {
      if (registered) logs.disable();
    },
  };
}
