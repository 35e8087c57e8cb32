import { context, trace } from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { contextManager } from './context.ts';
import type { Resource } from './resource.ts';
import type { RunningSignal } from './signal.ts';

export interface TraceOptions {
  /** Share of new traces to keep, from 0 to 1; a trace that came from elsewhere keeps its decision. Default: `OTEL_TRACES_SAMPLER`, else 1. */
  sampleRatio?: number;
  /** Where spans go. Default: OTLP, as the environment says. */
  exporter?: SpanExporter;
}

/** Spans in batches of 512, at most 2,048 waiting; the limits of the specification, and 1,024 characters an attribute. */
export function startTraces(
  exporter: SpanExporter,
  sampleRatio: number,
  resource: Resource,
): RunningSignal & { registered: boolean } {
  const provider = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanLimits: {
      attributeCountLimit: 128,
      attributeValueLengthLimit: 8_192,
      eventCountLimit: 128,
      linkCountLimit: 128,
    },
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: 2_048, maxExportBatchSize: 512 })],
  });
  const manager = contextManager();
  const registered = trace.setGlobalTracerProvider(provider);
  if (registered) context.setGlobalContextManager(manager);
  return {
    registered,
    description: `traces (${sampleRatio * 100} % of new ones)`,
    flush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
    unregister: () => {
      if (!registered) return;
      trace.disable();
      context.disable();
    },
  };
}
