/**
 * What this package tells OpenTelemetry, all names included.
 *
 * A span of kind CLIENT for each request on the wire, and around those of one call a span of kind INTERNAL, as the
 * semantic conventions want retries to be shown; a histogram of their durations; and counters, which are read from what
 * is counted anyway when a collector asks. While no SDK is registered nothing is made, not even an empty span.
 *
 * Conventions: https://opentelemetry.io/docs/specs/semconv/http/ (http-spans and http-metrics, stable).
 */
import { channel } from 'node:diagnostics_channel';
import { type HistogramLike, PackageMetrics, SECONDS_BOUNDARIES, type TelemetryDescription } from '@macadam/core';
import {
  context,
  createContextKey,
  createNoopMeter,
  diag,
  metrics,
  propagation,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type TextMapSetter,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import type { HttpAttempt } from './attempts.ts';
import { CLIENT_METRICS } from './client-metrics.ts';
import type { DispatchController } from './dispatcher.ts';
import type { HttpClientStats } from './http-client.ts';
import type { PreparedRequest } from './request.ts';
import { METRIC_ATTRIBUTES, SPAN_NAMES } from './telemetry-names.ts';
import {
  metricFields,
  outcomeFields,
  spanFields,
  spanName,
  traceparent,
  type SpanFields,
  type TracedClient,
} from './trace-attributes.ts';

const NAME = '@macadam/http';

/** What the SDK looks for before it starts a span; an instrumentation of the transport would start a second one. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
/** What an instrumentation of the transport listens to. While nobody does, there is nothing to suppress. */
const instrumented = channel('undici:request:create');

const NO_TRACER_PROVIDER: TracerProvider = new ProxyTracerProvider().getDelegate();
let tracerProvider: TracerProvider = NO_TRACER_PROVIDER;
let tracer: Tracer | undefined;

/** The tracer of the SDK that is registered now; undefined when there is none. */
function currentTracer(): Tracer | undefined {
  const registered = trace.getTracerProvider();
  const provider = registered instanceof ProxyTracerProvider ? registered.getDelegate() : registered;
  if (provider !== tracerProvider) {
    tracerProvider = provider;
    tracer = provider === NO_TRACER_PROVIDER ? undefined : provider.getTracer(NAME);
  }
  return tracer;
}

const CLIENT_NAME = 'macadam.http.client.name';
const DURATION = 'http.client.request.duration';
const counted = new PackageMetrics<HttpClientStats>({
  scope: NAME,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: CLIENT_NAME,
  stats: CLIENT_METRICS,
  histograms: [
    {
      name: DURATION,
      kind: 'histogram',
      unit: 's',
      description: 'Duration of HTTP client requests',
      boundaries: SECONDS_BOUNDARIES,
      attributes: METRIC_ATTRIBUTES,
    },
  ],
});

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: NAME,
  metrics: counted.descriptions,
  ...SPAN_NAMES,
};

/** Has the numbers of `client` read whenever a collector asks, for as long as it lives. */
export function observeClient(client: { readonly name: string; stats(): HttpClientStats }): void {
  counted.observe(client);
}

/** Begins to observe a call; undefined when nobody wants to know. */
export function traceCall(client: TracedClient, request: PreparedRequest): CallTrace | undefined {
  const spans = currentTracer();
  const histogram = counted.histogram(DURATION);
  if (spans === undefined && histogram === undefined) return undefined;
  return guarded(() => new CallTrace(client, request, spans, histogram));
}

/** An SDK is somebody else's code, samplers and exporters included: what it throws must not reach a call. */
function guarded<T>(tell: () => T): T | undefined {
  try {
    return tell();
  } catch (error) {
    diag.error('@macadam/http could not tell OpenTelemetry of a call', error);
    return undefined;
  }
}

interface OpenAttempt {
  readonly number: number;
  readonly record: HttpAttempt;
  readonly fields: SpanFields;
  readonly context: Context;
  readonly span: Span | undefined;
  protocol: string | undefined;
  cancelled: boolean;
}

const headerPairs: TextMapSetter<string[]> = {
  set(headers, name, value) {
    headers.push(name.toLowerCase(), value);
  },
};

/** One call, as OpenTelemetry sees it. */
export class CallTrace {
  readonly #client: TracedClient;
  readonly #tracer: Tracer | undefined;
  readonly #durations: HistogramLike | undefined;
  readonly #context: Context;
  readonly #span: Span | undefined;
  readonly #open: OpenAttempt[] = [];
  #attempts = 0;

  constructor(client: TracedClient, request: PreparedRequest, spans?: Tracer, histogram?: HistogramLike) {
    this.#client = client;
    this.#tracer = spans;
    this.#durations = histogram;
    const parent = context.active();
    const attributes = { [CLIENT_NAME]: client.name };
    this.#span = spans?.startSpan(`${client.name} ${spanName(request)}`, { attributes }, parent);
    this.#context = this.#span === undefined ? parent : trace.setSpan(parent, this.#span);
  }

  /** A request goes out, as part of the try that policies call `number`. */
  began(number: number, record: HttpAttempt, request: PreparedRequest): void {
    const fields = metricFields(request, record);
    const attributes = { ...fields, ...spanFields(request, this.#attempts) };
    const options = { kind: SpanKind.CLIENT, attributes };
    const span = guarded(() => this.#tracer?.startSpan(spanName(request), options, this.#context));
    const own = span === undefined ? this.#context : trace.setSpan(this.#context, span);
    this.#open.push({ number, record, fields, context: own, span, protocol: undefined, cancelled: false });
    this.#attempts++;
  }

  /** `headers` with those that carry the trace of the try `number`, unless the other side is a stranger. */
  propagated(number: number, headers: string[], foreign: boolean): string[] {
    const attempt = this.#find(number);
    if (!this.#client.propagates || foreign || attempt?.span === undefined) return headers;
    // What the caller says himself wins.
    if (headers.includes('traceparent')) return headers;
    const hides = !this.#client.baggage && propagation.getBaggage(attempt.context) !== undefined;
    const carried = hides ? propagation.deleteBaggage(attempt.context) : attempt.context;
    const all = [...headers];
    guarded(() => propagation.inject(carried, all, headerPairs));
    // An SDK can be set up without a propagator; the trace goes on all the same, in the form of the W3C.
    if (!all.includes('traceparent')) all.push('traceparent', traceparent(attempt.span.spanContext()));
    return all;
  }

  /** Runs what hands a request to the transport, so that an instrumentation of it makes no span of its own. */
  dispatching(send: () => void): void {
    if (this.#tracer === undefined || !instrumented.hasSubscribers) send();
    else context.with(this.#context.setValue(SUPPRESS_TRACING, true), send);
  }

  /** The headers of the answer to the try `number` are there: as a list in HTTP/1.1, by name in HTTP/2. */
  answered(number: number, { rawHeaders }: DispatchController): void {
    const attempt = this.#find(number);
    if (attempt === undefined || rawHeaders === undefined || rawHeaders === null) return;
    attempt.protocol = Array.isArray(rawHeaders) ? '1.1' : '2';
  }

  /** Nobody waits for the try `number` any more, which is not an error. */
  cancelled(number: number): void {
    const attempt = this.#find(number);
    if (attempt !== undefined) attempt.cancelled = true;
  }

  /** The try `number` has come to its end. */
  ended(number: number): void {
    const attempt = this.#find(number);
    if (attempt === undefined) return;
    if (attempt === this.#open.at(-1)) this.#open.pop();
    else this.#open.splice(this.#open.indexOf(attempt), 1);
    guarded(() => this.#tell(attempt));
  }

  #tell({ record, fields, span, context: own, protocol, cancelled }: OpenAttempt): void {
    const outcome = outcomeFields(record, protocol, cancelled);
    this.#durations?.record(record.durationMs / 1_000, Object.assign(fields, outcome), own);
    if (span === undefined) return;
    // It has had the rest since it began.
    span.setAttributes(outcome);
    if (outcome['error.type'] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  /** The call has come to its end, with an error of this code unless it went well or the caller left. */
  end(errorType: string | undefined): void {
    const span = this.#span;
    if (span === undefined) return;
    guarded(() => {
      span.setAttribute('macadam.http.attempts', this.#attempts);
      if (errorType !== undefined) {
        span.setAttribute('error.type', errorType);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    });
  }

  #find(number: number): OpenAttempt | undefined {
    const last = this.#open.at(-1);
    return last?.number === number ? last : this.#open.findLast((attempt) => attempt.number === number);
  }
}
