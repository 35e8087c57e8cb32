/** Two providers of tracers with the same ids, times, sampler and limits: the SDK's and ours, for the tests that compare them. */
import type { Attributes, Context, Link, SpanContext, Tracer } from '@opentelemetry/api';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  type ReadableSpan,
  type Sampler,
  type SamplingResult,
  type Span,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { vi } from 'vitest';
import type { SpanLimits } from '../src/node/sdk-settings.ts';
import { RecordingTracerProvider } from '../src/node/tracer-provider.ts';

export const LIMITS: SpanLimits = {
  attributeCountLimit: 128,
  attributeValueLengthLimit: Infinity,
  eventCountLimit: 128,
  linkCountLimit: 128,
  attributePerEventCountLimit: 128,
  attributePerLinkCountLimit: 128,
};

export interface Recorded {
  readonly name: 'ours' | 'the SDK';
  readonly provider: TracerProvider;
  tracer(name?: string): Tracer;
  /** What the processor was given, in the order in which it was. */
  readonly seen: [event: string, span: object][];
  readonly ended: ReadableSpan[];
  /** What the sampler was given. */
  readonly sampled: unknown[];
}

export interface PairOptions {
  limits?: Partial<SpanLimits>;
  sample?: (name: string) => SamplingResult;
}

/** Everything of a span that an exporter can read. */
export function snapshot(span: ReadableSpan): object {
  const { name, kind, parentSpanContext, startTime, endTime, status, attributes, links, events, duration } = span;
  const { ended, instrumentationScope, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  return structuredClone({
    ...{ name, kind, spanContext: span.spanContext(), parentSpanContext, startTime, endTime, status, ended, duration },
    ...{ attributes: Object.entries(attributes), links, events, instrumentationScope },
    ...{ droppedAttributesCount, droppedEventsCount, droppedLinksCount },
  });
}

/** The clocks of the process stand still until they are moved: the SDK reads no other. */
export class StillClock {
  nowMs = 1_800_000_000_000;
  monotonicMs = 5_000.125;
  readonly now = (): number => this.nowMs;
  readonly monotonic = (): number => this.monotonicMs;

  constructor() {
    vi.spyOn(Date, 'now').mockImplementation(this.now);
    vi.spyOn(performance, 'now').mockImplementation(this.monotonic);
    // Whole, so that the SDK's arithmetic with it is exact.
    vi.spyOn(performance, 'timeOrigin', 'get').mockReturnValue(1_799_999_000_000);
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.monotonicMs += ms;
  }
}

export function pair(clock: StillClock, options: PairOptions = {}): [ours: Recorded, theirs: Recorded] {
  return [recorded('ours', clock, options), recorded('the SDK', clock, options)];
}

const resource: Resource = resourceFromAttributes({ 'service.name': 'orders' });

function recorded(name: Recorded['name'], clock: StillClock, { limits, sample }: PairOptions): Recorded {
  const seen: Recorded['seen'] = [];
  const ended: ReadableSpan[] = [];
  const sampled: unknown[] = [];
  const on = new AlwaysOnSampler();
  const sampler: Sampler = {
    shouldSample(_context: Context, traceId, spanName, kind, attributes: Attributes, links: Link[]) {
      sampled.push(structuredClone({ traceId, spanName, kind, attributes: Object.entries(attributes), links }));
      return sample?.(spanName) ?? on.shouldSample();
    },
    toString: () => 'recorded',
  };
  const processor: SpanProcessor = {
    onStart: (span) => seen.push(['start', snapshot(span)]),
    onEnding(span: Span) {
      seen.push(['ending', snapshot(span)]);
      span.setAttribute('ending', true);
    },
    onEnd(span) {
      seen.push(['end', snapshot(span)]);
      ended.push(span);
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  let id = 0;
  const next = (length: number) => (): string => (++id).toString(16).padStart(length, '0');
  const ids = { generateSpanId: next(16), generateTraceId: next(32) };
  const spanLimits = { ...LIMITS, ...limits };
  const provider =
    name === 'ours'
      ? new RecordingTracerProvider({ resource, sampler, spanLimits, processor, clock, ids })
      : new TracerProvider({ resource, sampler, spanLimits, spanProcessors: [processor], idGenerator: ids });
  return { name, provider, tracer: (scope = 'a') => provider.getTracer(scope, '1'), seen, ended, sampled };
}

export const REMOTE: SpanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, isRemote: true };
