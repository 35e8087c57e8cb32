import type { Clock } from '@macadam/core';
import { context, type MeterProvider, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from './traces-sdk.ts';
import { createContextManager } from './context.ts';
import { ParentSampler } from './parent-sampler.ts';
import type { Resource } from './resource.ts';
import type { Batching, Sampling, SpanLimits } from './sdk-settings.ts';
import type { RunningSignal } from './signal.ts';
import { RecordingTracerProvider } from './tracer-provider.ts';

/** Options of the spans that are sent. */
export interface TraceOptions {
  /**
   * Ratio of new traces to keep, 0 to 1; a trace that was started elsewhere keeps its decision. Default:
   * `OTEL_TRACES_SAMPLER`, else 1.
   */
  sampleRatio?: number;
  /** Where spans are sent. Default: OTLP, by the environment variables. */
  exporter?: SpanExporter;
}

/** Default limit of the length of attribute values, in characters: a stack trace of 100 frames fits. */
export const MAX_ATTRIBUTE_LENGTH = 8_192;

/** For ratios 0 and 1 the trace id is not read, which is a good part of the cost of a span. */
function rootSampler(ratio: number): Sampler {
  if (ratio === 1) return new AlwaysOnSampler();
  return ratio === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}

export interface TraceSettings {
  readonly sampling: Sampling;
  readonly batching: Batching;
  readonly limits: SpanLimits;
}

export function startTraces(
  exporter: SpanExporter,
  { sampling, batching, limits }: TraceSettings,
  resource: Resource,
  selfObsMeterProvider: MeterProvider,
  clock: Clock,
): RunningSignal & { registered: boolean } {
  const root = rootSampler(sampling.ratio);
  const provider = new RecordingTracerProvider({
    resource,
    sampler: sampling.parentFirst ? new ParentSampler(root) : root,
    spanLimits: limits,
    processor: new BatchSpanProcessor({ exporter, ...batching, selfObsMeterProvider }),
    clock,
  });
  const registered = trace.setGlobalTracerProvider(provider);
  const ownsContext = registered && context.setGlobalContextManager(createContextManager());
  return {
    registered,
    description: `traces (${sampling.ratio * 100} % of new ones)`,
    flush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
    unregister: () => {
      if (registered) trace.disable();
      // One that another SDK registered stays.
      if (ownsContext) context.disable();
    },
  };
}
