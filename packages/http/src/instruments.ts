/**
 * What this package tells OpenTelemetry, all names included.
 *
 * A span of kind CLIENT for each request on the wire, below what the caller does, as the semantic conventions want retries
 * to be shown; beside them a span of kind INTERNAL of each call that is not just one request, with links to those it took;
 * a histogram of the durations of requests; and counters, which are read from what is counted anyway when a collector asks.
 * While no SDK is registered nothing is made, not even an empty span.
 *
 * Conventions: https://opentelemetry.io/docs/specs/semconv/http/ (http-spans and http-metrics, stable).
 */
import { channel } from 'node:diagnostics_channel';
import { type HistogramLike, PackageMetrics, type TelemetryDescription } from '@macadam/core';
import {
  context,
  createContextKey,
  createNoopMeter,
  diag,
  isSpanContextValid,
  metrics,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import type { AttemptLog, HttpAttempt } from './attempts.ts';
import { CLIENT_METRICS, REQUEST_DURATION } from './client-metrics.ts';
import type { DispatchController } from './dispatcher.ts';
import type { HttpClientStats } from './http-client.ts';
import type { PreparedRequest } from './request.ts';
import { requestAttributesOf, type RequestAttributes } from './request-attributes.ts';
import { SentRequests, type SentRequest } from './sent-requests.ts';
import { SPAN_NAMES } from './telemetry-names.ts';
import {
  errorTypeOfRequest,
  headerPairs,
  isCoveredByRequestSpan,
  spanName,
  timeAt,
  traceparent,
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
const counted = new PackageMetrics<HttpClientStats>({
  scope: NAME,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: CLIENT_NAME,
  stats: CLIENT_METRICS,
  histograms: [REQUEST_DURATION],
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
  const histogram = counted.histogram(REQUEST_DURATION.name);
  if (spans === undefined && histogram === undefined) return undefined;
  try {
    return new CallTrace(client, request, spans, histogram);
  } catch (error) {
    return reportTelemetryError(error);
  }
}

/** An SDK is somebody else's code, samplers and exporters included: what it throws must not reach a call. */
function reportTelemetryError(error: unknown): undefined {
  diag.error('@macadam/http could not tell OpenTelemetry of a call', error);
}

/** Of one call: with none alive V8 throws away the code for all of them, see `standing-call.ts`. Nothing of a caller's. */
let kept: unknown;

/** One call, as OpenTelemetry sees it. */
export class CallTrace {
  readonly #client: TracedClient;
  readonly #request: PreparedRequest;
  readonly #tracer: Tracer | undefined;
  readonly #durations: HistogramLike | undefined;
  /** What the caller does. */
  readonly #outer: Context;
  readonly #startedAt: number;
  readonly #requests = new SentRequests<Span>();

  constructor(client: TracedClient, request: PreparedRequest, spans?: Tracer, histogram?: HistogramLike) {
    this.#client = client;
    this.#request = request;
    this.#tracer = spans;
    this.#durations = histogram;
    this.#outer = context.active();
    this.#startedAt = client.clock.now();
  }

  /** A request goes out, as part of the try that policies call `number`. */
  began(number: number, record: HttpAttempt, request: PreparedRequest): void {
    const fields = requestAttributesOf(request, record);
    this.#requests.add(number, fields, record, this.#start(fields, record, request));
  }

  #start(fields: RequestAttributes, record: HttpAttempt, request: PreparedRequest): Span | undefined {
    if (this.#tracer === undefined) return undefined;
    const attributes = fields.start(request, this.#requests.count);
    const startTime = timeAt(this.#startedAt, record.startedAtMs);
    try {
      return this.#tracer.startSpan(fields.spanName, { kind: SpanKind.CLIENT, attributes, startTime }, this.#parent());
    } catch (error) {
      return reportTelemetryError(error);
    }
  }

  /** Where the next span belongs: below what the caller does. If that is in no trace, the first request has begun one. */
  #parent(): Context {
    if (this.#requests.last === undefined) return this.#outer;
    const around = trace.getSpanContext(this.#outer);
    if (around !== undefined && isSpanContextValid(around)) return this.#outer;
    const [first] = this.#requests.spans();
    return first === undefined ? this.#outer : trace.setSpan(this.#outer, first);
  }

  /** `headers` with those that carry the trace of the try `number`, unless the other side is a stranger. */
  propagated(number: number, headers: string[], crossesOrigin: boolean): string[] {
    const span = this.#requests.inFlight(number)?.span;
    // What the caller says himself wins.
    if (!this.#client.propagates || crossesOrigin || span === undefined || headers.includes('traceparent'))
      return headers;
    const own = headers.slice();
    this.#inject(span, own);
    // An SDK can be set up without a propagator; the trace goes on all the same, in the form of the W3C.
    if (!own.includes('traceparent', headers.length)) own.push('traceparent', traceparent(span.spanContext()));
    return own;
  }

  #inject(span: Span, headers: string[]): void {
    try {
      if (propagation.fields().length === 0) return;
      const own = trace.setSpan(this.#outer, span);
      const hides = !this.#client.baggage && propagation.getBaggage(own) !== undefined;
      propagation.inject(hides ? propagation.deleteBaggage(own) : own, headers, headerPairs);
    } catch (error) {
      reportTelemetryError(error);
    }
  }

  /** Runs what hands a request to the transport, so that an instrumentation of it makes no span of its own. */
  dispatching(send: () => void): void {
    if (this.#tracer === undefined || !instrumented.hasSubscribers) send();
    else context.with(this.#outer.setValue(SUPPRESS_TRACING, true), send);
  }

  /** The headers of the answer to the try `number` are there: as a list in HTTP/1.1, by name in HTTP/2. */
  answered(number: number, { rawHeaders }: DispatchController): void {
    const request = this.#requests.inFlight(number);
    if (request === undefined || rawHeaders === undefined || rawHeaders === null) return;
    request.protocol = Array.isArray(rawHeaders) ? '1.1' : '2';
  }

  /** Nobody waits for the try `number` any more, which is not an error. */
  cancelled(number: number): void {
    const request = this.#requests.inFlight(number);
    if (request !== undefined) request.cancelled = true;
  }

  /** The try `number` has come to its end. */
  ended(number: number): void {
    const request = this.#requests.inFlight(number);
    if (request === undefined) return;
    request.ended = true;
    try {
      this.#tell(request);
      kept ??= [request, context.with(ROOT_CONTEXT, () => this.#bare())];
    } catch (error) {
      reportTelemetryError(error);
    }
  }

  #bare(): CallTrace {
    return new CallTrace(this.#client, {} as PreparedRequest, this.#tracer, this.#durations);
  }

  #tell({ fields, record, span, protocol, cancelled }: SentRequest<Span>): void {
    const errorType = cancelled ? undefined : errorTypeOfRequest(record);
    this.#durations?.record(record.durationMs / 1_000, fields.end(record, protocol, errorType), this.#outer);
    if (span === undefined) return;
    const { template } = this.#request.subject;
    if (template !== undefined) span.setAttribute('url.template', template);
    if (protocol !== undefined) span.setAttribute('network.protocol.version', protocol);
    if (record.status !== undefined) span.setAttribute('http.response.status_code', record.status);
    if (errorType !== undefined) markFailed(span, errorType);
    span.end(timeAt(this.#startedAt, record.startedAtMs + record.durationMs));
  }

  /** The call has come to its end, with an error of this kind unless it went well or the caller left. */
  end({ records, startedAt }: AttemptLog, errorType: string | undefined): void {
    const cancelled = this.#requests.last?.cancelled === true;
    if (this.#tracer === undefined || isCoveredByRequestSpan(records, cancelled, errorType)) return;
    const { name, clock } = this.#client;
    try {
      const attributes = { [CLIENT_NAME]: name, 'macadam.http.attempts': records.length };
      const links = this.#requests.spans().map((span) => ({ context: span.spanContext() }));
      const options = { attributes, links, startTime: timeAt(this.#startedAt, 0) };
      const span = this.#tracer.startSpan(`${name} ${spanName(this.#request)}`, options, this.#parent());
      if (errorType !== undefined) markFailed(span, errorType);
      span.end(timeAt(this.#startedAt, clock.monotonic() - startedAt));
    } catch (error) {
      reportTelemetryError(error);
    }
  }
}

function markFailed(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
