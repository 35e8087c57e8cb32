/**
 * The OpenTelemetry signals of this package: a span of kind CLIENT for each request on the wire, as a child of the caller's span
 * (the semantic conventions show retries like that); a span of kind INTERNAL for each call that is not exactly one request, with
 * links to its requests; a histogram of the durations of requests; and the counts of `stats()`, read when a collector asks.
 * Without a registered SDK nothing is created, not even a no-op span.
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
import type { DispatchController, DispatchOptions, HttpDispatcher, Receiver } from './dispatcher.ts';
import { hasHeader } from './headers.ts';
import type { HttpClientStats } from './http-client.ts';
import type { PreparedRequest } from './request.ts';
import { requestAttributesOf, type RequestAttributes } from './request-attributes.ts';
import { SentRequests, type SentRequest } from './sent-requests.ts';
import { SPAN_NAMES } from './telemetry-names.ts';
import { errorTypeOfRequest, isCoveredByRequestSpan, spanName, timeAt, type TracedClient } from './trace-attributes.ts';
import { DerivedContext, headerPairs, TRACEPARENT, traceparent } from './trace-headers.ts';

const NAME = '@macadam/http';
/** The SDK starts no span in a context with this key. An instrumentation of undici would start a second one per request. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
/** The channel that an instrumentation of undici subscribes to. Without subscribers there is nothing to suppress. */
const undiciRequests = channel('undici:request:create');

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
const packageMetrics = new PackageMetrics<HttpClientStats>({
  scope: NAME,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: CLIENT_NAME,
  stats: CLIENT_METRICS,
  histograms: [REQUEST_DURATION],
});

/** The source of the telemetry catalogue in the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: NAME,
  metrics: packageMetrics.descriptions,
  ...SPAN_NAMES,
};

/** Exports the statistics of `client`, without keeping it alive. */
export function observeClient(client: { readonly name: string; stats(): HttpClientStats }): void {
  packageMetrics.observe(client);
}

/** Starts the trace of a call; undefined when no SDK is registered. */
export function traceCall(client: TracedClient, request: PreparedRequest): CallTrace | undefined {
  const spans = currentTracer();
  const histogram = packageMetrics.histogram(REQUEST_DURATION.name);
  if (spans === undefined && histogram === undefined) return undefined;
  try {
    return new CallTrace(client, request, spans, histogram);
  } catch (error) {
    return reportTelemetryError(error);
  }
}

/** The SDK, its samplers and exporters may throw, which must not affect a call. */
function reportTelemetryError(error: unknown): undefined {
  diag.error('@macadam/http could not report a call to OpenTelemetry', error);
}

/** Objects of one call, without data of a caller, that keep V8's code for all calls alive: see `pinned-call.ts`. */
let keptAlive: unknown;

/** Reports one call and its requests. A request is identified by the number the policies give to its attempt. */
export class CallTrace {
  readonly #client: TracedClient;
  readonly #request: PreparedRequest;
  readonly #tracer: Tracer | undefined;
  readonly #durations: HistogramLike | undefined;
  /** The context of the caller. */
  readonly #caller: Context;
  readonly #startedAt: number;
  readonly #requests = new SentRequests<Span>();

  constructor(client: TracedClient, request: PreparedRequest, spans?: Tracer, histogram?: HistogramLike) {
    this.#client = client;
    this.#request = request;
    this.#tracer = spans;
    this.#durations = histogram;
    this.#caller = context.active();
    this.#startedAt = client.clock.now();
  }

  requestStarted(number: number, record: HttpAttempt, request: PreparedRequest): void {
    const attributes = requestAttributesOf(request, record);
    this.#requests.add(number, attributes, record, this.#start(attributes, record, request));
  }

  #start(attributes: RequestAttributes, record: HttpAttempt, request: PreparedRequest): Span | undefined {
    if (this.#tracer === undefined) return undefined;
    const known = attributes.start(request, this.#requests.count);
    const startTime = timeAt(this.#startedAt, record.startedAtMs);
    try {
      const options = { kind: SpanKind.CLIENT, attributes: known, startTime };
      return this.#tracer.startSpan(attributes.spanName, options, this.#parentContext());
    } catch (error) {
      return reportTelemetryError(error);
    }
  }

  /** The parent of the next span: the caller's span, or without one the span of the first request. */
  #parentContext(): Context {
    if (this.#requests.last === undefined) return this.#caller;
    const callerSpan = trace.getSpanContext(this.#caller);
    if (callerSpan !== undefined && isSpanContextValid(callerSpan)) return this.#caller;
    const [first] = this.#requests.spans();
    return first === undefined ? this.#caller : trace.setSpan(this.#caller, first);
  }

  /** Adds the headers that propagate the trace, unless the request goes to an external peer or another origin. */
  propagate(number: number, headers: string[], crossesOrigin: boolean): string[] {
    const span = this.#requests.inFlight(number)?.span;
    // A `traceparent` of the caller wins.
    const isSent = this.#client.propagates && !crossesOrigin && !hasHeader(headers, TRACEPARENT);
    if (!isSent || span === undefined) return headers;
    const all = headers.slice();
    this.#inject(span, all);
    // The SDK may have no propagator: then the header of W3C Trace Context is sent.
    if (!hasHeader(all, TRACEPARENT, headers.length)) all.push(TRACEPARENT, traceparent(span.spanContext()));
    return all;
  }

  #inject(span: Span, headers: string[]): void {
    try {
      if (propagation.fields().length === 0) return;
      const spanContext = trace.setSpan(new DerivedContext(this.#caller), span);
      const hidesBaggage = !this.#client.baggage && propagation.getBaggage(spanContext) !== undefined;
      propagation.inject(hidesBaggage ? propagation.deleteBaggage(spanContext) : spanContext, headers, headerPairs);
    } catch (error) {
      reportTelemetryError(error);
    }
  }

  /** Sends a request so that an instrumentation of undici creates no span. */
  dispatch(dispatcher: HttpDispatcher, request: DispatchOptions, receiver: Receiver): void {
    if (this.#tracer === undefined || !undiciRequests.hasSubscribers) dispatcher.dispatch(request, receiver);
    else this.#dispatchUntraced(dispatcher, request, receiver);
  }

  /** A method of its own: V8 would allocate what the closure captures for every request. */
  #dispatchUntraced(dispatcher: HttpDispatcher, request: DispatchOptions, receiver: Receiver): void {
    const untraced = this.#caller.setValue(SUPPRESS_TRACING, true);
    context.with(untraced, () => dispatcher.dispatch(request, receiver));
  }

  /** Notes the protocol: undici passes raw headers as a list for HTTP/1.1, and by name for HTTP/2. */
  responseStarted(number: number, { rawHeaders }: DispatchController): void {
    const request = this.#requests.inFlight(number);
    if (request === undefined || rawHeaders === undefined || rawHeaders === null) return;
    request.protocol = Array.isArray(rawHeaders) ? '1.1' : '2';
  }

  /** Notes that nobody waits for the request any more, which is not an error. */
  requestCancelled(number: number): void {
    const request = this.#requests.inFlight(number);
    if (request !== undefined) request.cancelled = true;
  }

  requestEnded(number: number): void {
    const request = this.#requests.inFlight(number);
    if (request === undefined) return;
    request.ended = true;
    try {
      this.#report(request);
      keptAlive ??= [request, context.with(ROOT_CONTEXT, () => this.#withoutCallerData())];
    } catch (error) {
      reportTelemetryError(error);
    }
  }

  #withoutCallerData(): CallTrace {
    return new CallTrace(this.#client, {} as PreparedRequest, this.#tracer, this.#durations);
  }

  #report({ attributes, record, span, protocol, cancelled }: SentRequest<Span>): void {
    const errorType = cancelled ? undefined : errorTypeOfRequest(record);
    this.#durations?.record(record.durationMs / 1_000, attributes.end(record, protocol, errorType), this.#caller);
    if (span === undefined) return;
    const { template } = this.#request.subject;
    if (template !== undefined) span.setAttribute('url.template', template);
    if (protocol !== undefined) span.setAttribute('network.protocol.version', protocol);
    if (record.status !== undefined) span.setAttribute('http.response.status_code', record.status);
    if (errorType !== undefined) markFailed(span, errorType);
    span.end(timeAt(this.#startedAt, record.startedAtMs + record.durationMs));
  }

  /** @param errorType - undefined if the call succeeded or was cancelled */
  end({ records, startedAt }: AttemptLog, errorType: string | undefined): void {
    const cancelled = this.#requests.last?.cancelled === true;
    if (this.#tracer === undefined || isCoveredByRequestSpan(records, cancelled, errorType)) return;
    const { name, clock } = this.#client;
    try {
      const attributes = { [CLIENT_NAME]: name, 'macadam.http.attempts': records.length };
      const links = this.#requests.spans().map((span) => ({ context: span.spanContext() }));
      const options = { attributes, links, startTime: timeAt(this.#startedAt, 0) };
      const span = this.#tracer.startSpan(`${name} ${spanName(this.#request)}`, options, this.#parentContext());
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
