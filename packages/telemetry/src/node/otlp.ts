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
import type { Delivery } from './delivery.ts';
import type { OtlpTarget } from './otlp-target.ts';

/** Most batches that are on their way at once, as the exporters of OpenTelemetry have it. */
const CONCURRENT_BATCHES = 30;

/** HTML begins so, and no answer over OTLP. */
const LESS_THAN = 0x3c;

type Exporter<Items> = Pick<IOtlpExportDelegate<Items>, 'export' | 'forceFlush' | 'shutdown'>;
type ItemsOf<S> = S extends ISerializer<infer Items, unknown> ? Items : never;

/** Sends spans. */
export function otlpTraces(target: OtlpTarget, delivery: Delivery): Exporter<ItemsOf<typeof ProtobufTraceSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonTraceSerializer : ProtobufTraceSerializer;
  return otlp(target, delivery, serializer, 'otlp_http_span_exporter', TraceExporterMetricsHelper);
}

/** Sends metrics. */
export function otlpMetrics(
  target: OtlpTarget,
  delivery: Delivery,
): Exporter<ItemsOf<typeof ProtobufMetricsSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  return otlp(target, delivery, serializer, 'otlp_http_metric_exporter', MetricsExporterMetricsHelper);
}

/** Sends log records. */
export function otlpLogs(target: OtlpTarget, delivery: Delivery): Exporter<ItemsOf<typeof ProtobufLogsSerializer>> {
  const serializer = target.protocol === 'http/json' ? JsonLogsSerializer : ProtobufLogsSerializer;
  return otlp(target, delivery, serializer, 'otlp_http_log_exporter', LogsExporterMetricsHelper);
}

/** What a collector says when it has taken a batch; each signal has a name of its own for the number. */
interface Answer {
  partialSuccess?: {
    /** In JSON, what is not set may be null. */
    errorMessage?: string | null;
    rejectedSpans?: number;
    rejectedDataPoints?: number;
    rejectedLogRecords?: number;
  };
}

/**
 * Not the ready-made exporters: they read the variables of the process by themselves, keep wrong ones to themselves, and
 * tell nobody what the collector says about data that it has rejected.
 */
function otlp<Items, A extends Answer>(
  target: OtlpTarget,
  delivery: Delivery,
  serializer: ISerializer<Items, A>,
  component: string,
  helper: IExporterMetricsHelper<Items>,
): Exporter<Items> {
  const heard: ISerializer<Items, A> = {
    serializeRequest: (items) => serializer.serializeRequest(items),
    deserializeResponse(bytes) {
      if (bytes[0] === LESS_THAN) delivery.answeredByPage();
      const answer = serializer.deserializeResponse(bytes);
      const { errorMessage, ...rejected } = answer.partialSuccess ?? {};
      const { rejectedSpans, rejectedDataPoints, rejectedLogRecords } = rejected;
      const count = Number(rejectedSpans ?? rejectedDataPoints ?? rejectedLogRecords ?? 0);
      const remark = errorMessage ?? '';
      if (count > 0 || remark !== '') delivery.remarked(count, remark);
      return answer;
    },
  };
  const { url, protocol, headers, timeoutMs, compression, tls } = target;
  const contentType = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
  const delegate = createOtlpHttpExportDelegate(
    {
      url,
      // A new object each time: the transport adds to it.
      headers: () => Promise.resolve({ ...headers, 'Content-Type': contentType }),
      timeoutMillis: timeoutMs,
      compression,
      concurrencyLimit: CONCURRENT_BATCHES,
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true, ...tls }),
    },
    heard,
    component,
    helper,
    undefined,
  );
  return {
    export: (items, done) =>
      delegate.export(items, (result) => {
        delivery.ended(result);
        done(result);
      }),
    forceFlush: () => delegate.forceFlush(),
    shutdown: () => delegate.shutdown(),
  };
}
