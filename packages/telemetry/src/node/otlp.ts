import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { OtlpTarget } from './environment.ts';

/** Sends spans. */
export function otlpTraces({ protocol, url, headers }: OtlpTarget): OTLPTraceExporter | JsonTraceExporter {
  const config = { url, headers };
  return protocol === 'http/json' ? new JsonTraceExporter(config) : new OTLPTraceExporter(config);
}

/** Sends metrics. */
export function otlpMetrics({ protocol, url, headers }: OtlpTarget): OTLPMetricExporter | JsonMetricExporter {
  const config = { url, headers };
  return protocol === 'http/json' ? new JsonMetricExporter(config) : new OTLPMetricExporter(config);
}

/** Sends log records. */
export function otlpLogs({ protocol, url, headers }: OtlpTarget): OTLPLogExporter | JsonLogExporter {
  const config = { url, headers };
  return protocol === 'http/json' ? new JsonLogExporter(config) : new OTLPLogExporter(config);
}
