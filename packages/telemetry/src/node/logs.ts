import { logs, type MeterProvider } from '@opentelemetry/api';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { Resource } from './resource.ts';
import type { AttributeLimits, Batching } from './sdk-settings.ts';
import type { RunningSignal } from './signal.ts';

/** Options of the log records that are sent. */
export interface LogOptions {
  /** Where log records are sent. Default: OTLP, by the environment variables. */
  exporter?: LogRecordExporter;
}

export interface LogSettings {
  readonly batching: Batching;
  readonly limits: AttributeLimits;
}

export function startLogs(
  exporter: LogRecordExporter,
  { batching, limits }: LogSettings,
  resource: Resource,
  selfObsMeterProvider: MeterProvider,
): RunningSignal & { registered: boolean } {
  const provider = new LoggerProvider({
    resource,
    logRecordLimits: limits,
    processors: [new BatchLogRecordProcessor({ exporter, ...batching, selfObsMeterProvider })],
  });
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
