import type { IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  type IExporterMetricsHelper,
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import type { ExportMonitor } from './export-monitor.ts';
import type { OtlpTarget } from './otlp-target.ts';

/** Maximum number of batches in flight. Source: the exporters of OpenTelemetry. */
const CONCURRENT_BATCHES = 30;

/** The first byte of HTML. No OTLP response starts with it. */
const LESS_THAN = 0x3c;

type Exporter<Items> = Pick<IOtlpExportDelegate<Items>, 'export' | 'forceFlush' | 'shutdown'>;
type ItemsOf<S> = S extends ISerializer<infer Items, unknown> ? Items : never;

export function otlpTraceExporter(
  target: OtlpTarget,
  monitor: ExportMonitor,
): Exporter<ItemsOf<typeof ProtobufTraceSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonTraceSerializer : ProtobufTraceSerializer;
  return otlpExporter(target, monitor, serializer, 'otlp_http_span_exporter', TraceExporterMetricsHelper);
}

export function otlpMetricExporter(
  target: OtlpTarget,
  monitor: ExportMonitor,
): Exporter<ItemsOf<typeof ProtobufMetricsSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  return otlpExporter(target, monitor, serializer, 'otlp_http_metric_exporter', MetricsExporterMetricsHelper);
}

export function otlpLogExporter(
  target: OtlpTarget,
  monitor: ExportMonitor,
): Exporter<ItemsOf<typeof ProtobufLogsSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonLogsSerializer : ProtobufLogsSerializer;
  return otlpExporter(target, monitor, serializer, 'otlp_http_log_exporter', LogsExporterMetricsHelper);
}

/** A successful OTLP response. Each signal has its own name for the number of rejected items. */
interface ExportResponse {
  partialSuccess?: {
    /** Null, in JSON, if there is none. */
    errorMessage?: string | null;
    rejectedSpans?: number;
    rejectedDataPoints?: number;
    rejectedLogRecords?: number;
  };
}

/**
 * Builds an exporter of the parts of OpenTelemetry's exporters. The exporters themselves read the environment variables of the
 * process, do not report invalid ones, and ignore what the collector says about rejected data.
 */
function otlpExporter<Items, R extends ExportResponse>(
  target: OtlpTarget,
  monitor: ExportMonitor,
  serializer: ISerializer<Items, R>,
  component: string,
  helper: IExporterMetricsHelper<Items>,
): Exporter<Items> {
  const monitored: ISerializer<Items, R> = {
    serializeRequest: (items) => serializer.serializeRequest(items),
    deserializeResponse(bytes) {
      if (bytes[0] === LESS_THAN) monitor.receivedHtml();
      const response = serializer.deserializeResponse(bytes);
      const { errorMessage, ...rejected } = response.partialSuccess ?? {};
      const { rejectedSpans, rejectedDataPoints, rejectedLogRecords } = rejected;
      const rejectedCount = Number(rejectedSpans ?? rejectedDataPoints ?? rejectedLogRecords ?? 0);
      const message = errorMessage ?? '';
      if (rejectedCount > 0 || message !== '') monitor.partialSuccess(rejectedCount, message);
      return response;
    },
  };
  const { url, protocol, headers, timeoutMs, compression, tls } = target;
  const contentType = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
  const delegate = createOtlpHttpExportDelegate(
    {
      url,
      // A new object for each request, because the transport adds to it.
      headers: () => Promise.resolve({ ...headers, 'Content-Type': contentType }),
      timeoutMillis: timeoutMs,
      compression,
      concurrencyLimit: CONCURRENT_BATCHES,
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true, ...tls }),
    },
    monitored,
    component,
    helper,
    undefined,
  );
  return {
    export: (items, done) =>
      delegate.export(items, (result) => {
        monitor.batchEnded(result);
        done(result);
      }),
    forceFlush: () => delegate.forceFlush(),
    shutdown: () => delegate.shutdown(),
  };
}
