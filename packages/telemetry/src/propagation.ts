import { type Context, context, type Link, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { formatBaggage, parseBaggage } from './baggage.ts';
import { formatTraceparent, parseTraceparent, withTracestate } from './trace-context.ts';

/** Headers as they come: a plain object of Node, or a `Headers`. */
export type IncomingHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface ContinueTraceOptions {
  /**
   * Whether the sender is one of ours. If not, its trace is not continued, since a stranger could then force sampling and
   * join our traces: a new one begins, with a link to theirs, and their baggage is dropped. Default: false.
   */
  trusted?: boolean;
  /** Default: the root context. */
  base?: Context;
}

/** What to start the first span of a request with. */
export interface ContinuedTrace {
  readonly context: Context;
  /** For a sender that is not trusted: its span. */
  readonly links: Link[];
}

export interface InjectTraceOptions {
  /** Whether `baggage` goes along. Default: false, since it may hold what a peer should not see. */
  baggage?: boolean;
  /** Default: the active context. */
  context?: Context;
}

/**
 * Reads `traceparent`, `tracestate` and `baggage` of a request. Hostile or broken headers are as if they were not there.
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
  const { trusted = false, base = ROOT_CONTEXT } = options;
  const traceparent = one(headers, 'traceparent');
  let span = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  if (!trusted) return { context: base, links: span === undefined ? [] : [{ context: span }] };
  let continued = base;
  if (span !== undefined) {
    const tracestate = all(headers, 'tracestate');
    if (tracestate !== undefined) span = withTracestate(span, tracestate);
    continued = trace.setSpanContext(continued, span);
  }
  const text = all(headers, 'baggage');
  const baggage = text === undefined ? undefined : parseBaggage(text);
  if (baggage !== undefined) continued = propagation.setBaggage(continued, baggage);
  return { context: continued, links: [] };
}

/** Writes `traceparent` and `tracestate` of the active span into `headers`, and returns them. Use it for internal peers only. */
export function injectTrace<H extends Headers | Record<string, string>>(
  headers: H,
  options: InjectTraceOptions = {},
): H {
  const { baggage = false, context: from = context.active() } = options;
  const span = trace.getSpanContext(from);
  if (span !== undefined && trace.isSpanContextValid(span)) {
    put(headers, 'traceparent', formatTraceparent(span));
    const tracestate = span.traceState?.serialize() ?? '';
    if (tracestate !== '') put(headers, 'tracestate', tracestate);
  }
  const carried = baggage ? propagation.getBaggage(from) : undefined;
  const text = carried === undefined ? '' : formatBaggage(carried);
  if (text !== '') put(headers, 'baggage', text);
  return headers;
}

/** The only value of a header; undefined when there are two, which the standard calls invalid. */
function one(headers: IncomingHeaders, name: string): string | undefined {
  const value = read(headers, name);
  if (typeof value === 'string') return value;
  return value?.length === 1 ? value[0] : undefined;
}

/** All values of a header that may be split over several. */
function all(headers: IncomingHeaders, name: string): string | undefined {
  const value = read(headers, name);
  return typeof value === 'string' || value === undefined ? value : value.join(',');
}

function read(headers: IncomingHeaders, name: string): string | readonly string[] | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  if (Object.hasOwn(headers, name)) return headers[name];
  for (const key of Object.keys(headers)) if (key.toLowerCase() === name) return headers[key];
  return undefined;
}

function put(headers: Headers | Record<string, string>, name: string, value: string): void {
  if (headers instanceof Headers) headers.set(name, value);
  else headers[name] = value;
}
