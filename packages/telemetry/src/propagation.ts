import { type Context, context, type Link, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { formatBaggage, parseBaggage } from './baggage.ts';
import { formatTraceparent, parseTraceparent, withTracestate } from './trace-context.ts';

/** Header fields of a request: an object as Node has it, or a `Headers`. */
export type IncomingHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** Options of `continueTrace`. */
export interface ContinueTraceOptions {
  /**
   * Whether the sender is one of your services. The trace of any other is not continued, since a stranger could force
   * sampling and join your traces: a new trace starts with a link to it, and its baggage is dropped. Default: false.
   */
  trusted?: boolean;
  /** The context to build on. Default: the root context. */
  context?: Context;
}

/** The context and links to start the first span of a request with. */
export interface ContinuedTrace {
  /** The context, with the remote span as the parent if the sender is trusted. */
  readonly context: Context;
  /** The span of a sender that is not trusted; otherwise empty. */
  readonly links: Link[];
}

/** Options of `injectTrace`. */
export interface InjectTraceOptions {
  /** Whether `baggage` is sent as well; it may contain what a peer should not see. Default: false. */
  baggage?: boolean;
  /** The context to send. Default: the active one. */
  context?: Context;
}

/**
 * Reads `traceparent`, `tracestate` and `baggage` of a request and returns the context to start its first span with.
 * Invalid header fields are ignored.
 *
 * @example
 * ```ts
 * import { continueTrace } from '@macadam/telemetry';
 *
 * const { links } = continueTrace({ traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
 * if (links.length !== 1) throw new Error('a stranger is linked to, not followed');
 * ```
 */
export function continueTrace(headers: IncomingHeaders, options: ContinueTraceOptions = {}): ContinuedTrace {
  const { trusted = false, context: base = ROOT_CONTEXT } = options;
  const traceparent = singleValue(headers, 'traceparent');
  let span = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  if (!trusted) return { context: base, links: span === undefined ? [] : [{ context: span }] };
  let continued = base;
  if (span !== undefined) {
    const tracestate = joinedValues(headers, 'tracestate');
    if (tracestate !== undefined) span = withTracestate(span, tracestate);
    continued = trace.setSpanContext(continued, span);
  }
  const text = joinedValues(headers, 'baggage');
  const baggage = text === undefined ? undefined : parseBaggage(text);
  if (baggage !== undefined) continued = propagation.setBaggage(continued, baggage);
  return { context: continued, links: [] };
}

/**
 * Writes `traceparent` and `tracestate` of the active span to `headers`, and returns them. Use it for internal peers
 * only.
 *
 * @example
 * ```ts
 * import { injectTrace, withSpan } from '@macadam/telemetry';
 *
 * const headers = await withSpan('call', async () => injectTrace({ accept: 'application/json' }));
 * ```
 */
export function injectTrace<H extends Headers | Record<string, string>>(
  headers: H,
  options: InjectTraceOptions = {},
): H {
  const { baggage = false, context: from = context.active() } = options;
  const span = trace.getSpanContext(from);
  if (span !== undefined && trace.isSpanContextValid(span)) {
    setHeader(headers, 'traceparent', formatTraceparent(span));
    const tracestate = span.traceState?.serialize() ?? '';
    if (tracestate !== '') setHeader(headers, 'tracestate', tracestate);
  }
  const activeBaggage = baggage ? propagation.getBaggage(from) : undefined;
  const text = activeBaggage === undefined ? '' : formatBaggage(activeBaggage);
  if (text !== '') setHeader(headers, 'baggage', text);
  return headers;
}

/** The value of a header; undefined if it occurs more than once: two `traceparent` are invalid by the standard. */
function singleValue(headers: IncomingHeaders, name: string): string | undefined {
  const value = readHeader(headers, name);
  if (typeof value === 'string') return value;
  return value?.length === 1 ? value[0] : undefined;
}

/** The value of a header that may be split over several fields, joined by commas. */
function joinedValues(headers: IncomingHeaders, name: string): string | undefined {
  const value = readHeader(headers, name);
  return typeof value === 'string' || value === undefined ? value : value.join(',');
}

function readHeader(headers: IncomingHeaders, name: string): string | readonly string[] | undefined {
  const value = headers instanceof Headers ? headers.get(name) : readField(headers, name);
  if (typeof value === 'string') return value;
  // Getters of other libraries return anything, such as null; reading a header never throws.
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

function readField(headers: Exclude<IncomingHeaders, Headers>, name: string): unknown {
  if (Object.hasOwn(headers, name)) return headers[name];
  for (const key of Object.keys(headers)) if (key.toLowerCase() === name) return headers[key];
  return undefined;
}

function setHeader(headers: Headers | Record<string, string>, name: string, value: string): void {
  if (headers instanceof Headers) headers.set(name, value);
  else headers[name] = value;
}
