import {
  type Context,
  context,
  createContextKey,
  diag,
  INVALID_SPAN_CONTEXT,
  type Link,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  trace,
  TraceFlags,
  type Tracer,
  type TraceState,
} from '@opentelemetry/api';
import { RecordedSpan } from './recorded-span.ts';
import type { AttributeLimits } from './sdk-settings.ts';
import { type CleanAttributes, cleanAttributes, copyUnchanged } from './span-attributes.ts';
import { cleanLink } from './span-parts.ts';
import type { SpanSource } from './span-start.ts';
import { type IdGenerator, type Sampler, SamplingDecision } from './traces-sdk.ts';
import { validSpanOf } from './valid-span.ts';

/** What the SDK's exporters set so that their own requests are not traced. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

const NO_LIMITS: AttributeLimits = { attributeCountLimit: Infinity, attributeValueLengthLimit: Infinity };
const NO_LINKS: Link[] = [];
const NOTHING: CleanAttributes = {};

/** Starts spans as the tracer of the SDK does, of a kind that costs less: see {@link RecordedSpan}. */
export class RecordingTracer implements Tracer {
  readonly instrumentationScope: SpanSource['scope'];
  readonly #source: SpanSource;
  readonly #sampler: Sampler;
  readonly #ids: IdGenerator;

  constructor(source: SpanSource, sampler: Sampler, ids: IdGenerator) {
    this.instrumentationScope = source.scope;
    this.#source = source;
    this.#sampler = sampler;
    this.#ids = ids;
  }

  startSpan(name: string, options: SpanOptions = {}, outer: Context = context.active()): Span {
    const around = options.root ? trace.deleteSpan(outer) : outer;
    if (around.getValue(SUPPRESS_TRACING) === true) {
      diag.debug(`The span ${name} is not recorded: tracing is suppressed here.`);
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    }
    const parent = validSpanOf(around);
    const spanId = this.#ids.generateSpanId();
    const traceId = parent?.traceId ?? this.#ids.generateTraceId();
    const kind = options.kind ?? SpanKind.INTERNAL;
    const { limits } = this.#source;
    const links = options.links?.map((link) => cleanLink(link, limits)) ?? NO_LINKS;
    const unchanged = copyUnchanged(options.attributes, limits);
    // The sampler sees everything that is valid, also what is beyond the limits.
    const valid = unchanged === undefined ? cleanAttributes(options.attributes, NO_LIMITS) : NOTHING;
    const attributes = unchanged ?? valid.attributes ?? {};
    const sampling = this.#sampler.shouldSample(around, traceId, name, kind, attributes, links);

    const isSampled = sampling.decision === SamplingDecision.RECORD_AND_SAMPLED;
    const spanContext: SpanContext = {
      traceId,
      spanId,
      traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      // Also if there is none, so that all have the same shape.
      traceState: (sampling.traceState ?? parent?.traceState) as TraceState,
    };
    if (sampling.decision === SamplingDecision.NOT_RECORD) {
      diag.debug(`The span ${name} is not recorded: the sampler decided so.`);
      return trace.wrapSpanContext(spanContext);
    }
    const isClean = unchanged !== undefined && sampling.attributes === undefined;
    const clean = isClean ? NOTHING : cleanAttributes(Object.assign(attributes, sampling.attributes), limits);
    const span = new RecordedSpan(this.#source, {
      spanContext,
      parent,
      name,
      kind,
      startTime: options.startTime,
      attributes: clean.attributes ?? attributes,
      droppedAttributes: (valid.droppedAttributesCount ?? 0) + (clean.droppedAttributesCount ?? 0),
      links,
    });
    this.#source.processor.onStart(span, around);
    return span;
  }

  startActiveSpan<F extends (span: Span) => unknown>(name: string, fn: F): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(name: string, options: SpanOptions, fn: F): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    options: SpanOptions,
    outer: Context,
    fn: F,
  ): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(name: string, ...rest: ActiveSpanArguments<F>): ReturnType<F> {
    const fn = rest.pop() as ((span: Span) => ReturnType<F>) | undefined;
    // The types forbid it. The SDK does nothing, either.
    if (fn === undefined) return undefined as ReturnType<F>;
    const [options, outer = context.active()] = rest as [SpanOptions?, Context?];
    const span = this.startSpan(name, options, outer);
    return context.with(trace.setSpan(outer, span), fn, undefined, span);
  }
}

type ActiveSpanArguments<F> = [F] | [SpanOptions, F] | [SpanOptions, Context, F];
