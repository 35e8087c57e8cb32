import { assertFunction, assertObject, isMacadamError, timeoutOf } from '@macadam/core';
import { context, INVALID_TRACEID, trace, type Tracer, type TracerProvider } from '@opentelemetry/api';
import { type Attributes, type Link, type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { cleanText, spanAttributes } from './attributes.ts';
import { refusalStatusOf } from './refusal.ts';

/** Options of `withSpan`. */
export interface SpanOptions {
  /** Attributes of the span, redacted and bounded as by {@link spanAttributes}. Default: none. */
  attributes?: Readonly<Record<string, unknown>>;
  /** Kind of the span. Default: `SpanKind.INTERNAL`. */
  kind?: SpanKind;
  /** Related spans that are not parents. Default: none. */
  links?: Link[];
  /** Starts a new trace. Default: false. */
  root?: boolean;
}

let provider: TracerProvider | undefined;
let tracer: Tracer | undefined;

/** The tracer of the provider that is registered now. A tracer kept for good would outlive the SDK it came from. */
function currentTracer(): Tracer {
  const current = trace.getTracerProvider();
  if (tracer === undefined || current !== provider) {
    provider = current;
    tracer = current.getTracer('@macadam/telemetry');
  }
  return tracer;
}

/**
 * Runs `fn` inside a span, which ends when `fn` returns or its promise settles. An error is recorded without
 * credentials and rethrown; an abort by the caller is not recorded as an error (OpenTelemetry's rule for cancelled
 * work), nor is a refusal of the caller, as {@link recordError} describes. Without a registered SDK it costs about as much as starting a no-op span.
 *
 * @example
 * ```ts
 * import { withSpan } from '@macadam/telemetry';
 *
 * const total = await withSpan('orders.total', { attributes: { plan: 'pro' } }, async (span) => {
 *   span.setAttribute('items', 3);
 *   return 42;
 * });
 * if (total !== 42) throw new Error('unexpected');
 * ```
 */
export function withSpan<T>(name: string, fn: (span: Span) => T): T;
export function withSpan<T>(name: string, options: SpanOptions, fn: (span: Span) => T): T;
export function withSpan<T>(name: string, first: SpanOptions | ((span: Span) => T), second?: (span: Span) => T): T {
  const fn = typeof first === 'function' ? first : second;
  assertFunction('withSpan.fn', fn);
  const options = typeof first === 'function' ? NO_OPTIONS : first;
  if (options !== NO_OPTIONS) assertObject('withSpan', options);
  const parent = context.active();
  const span = currentTracer().startSpan(name, options === NO_OPTIONS ? undefined : sdkOptions(options), parent);
  // Nothing to record and no decision to hand on: there is no SDK, or none that knows this trace.
  if (!span.isRecording() && isNoop(span, parent)) return fn(span);
  if (options.attributes !== undefined && span.isRecording()) span.setAttributes(spanAttributes(options.attributes));
  let result: T;
  try {
    result = context.with(trace.setSpan(parent, span), fn, undefined, span);
  } catch (error) {
    fail(span, error);
    throw error;
  }
  if (!isThenable(result)) {
    span.end();
    return result;
  }
  return result.then(
    (value) => {
      span.end();
      return value;
    },
    (error: unknown) => {
      fail(span, error);
      throw error;
    },
  ) as T;
}

/**
 * Records an error on a span: type, message and stack without credentials, and the error status. An abort is not recorded. Of
 * an error that refuses the caller with a 4xx (see `WorkOutcome`), only `error.type` is: to OpenTelemetry, a server has not
 * failed there, but whoever called it has (spans of the kind CLIENT), and so has a server that refuses with 503.
 *
 * @example
 * ```ts
 * import { recordError, withSpan } from '@macadam/telemetry';
 *
 * await withSpan('orders.import', async (span) => {
 *   for (const row of ['1', 'x']) {
 *     if (Number.isNaN(Number(row))) recordError(span, new RangeError('not a number'));
 *   }
 * });
 * ```
 */
export function recordError(span: Span, error: unknown): void {
  if (!span.isRecording()) return;
  const timeout = timeoutOf(error);
  if (timeout === undefined && isAbort(error)) return;
  if (timeout === undefined && isRefusal(span, error)) span.setAttribute('error.type', errorType(error));
  else record(span, timeout ?? error);
}

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status. The kind is told by the spans of SDKs alone. */
function isRefusal(span: Span & { readonly kind?: SpanKind }, error: unknown): boolean {
  const status = span.kind === SpanKind.CLIENT ? undefined : refusalStatusOf(error);
  return status !== undefined && status < 500;
}

function record(span: Span, error: unknown): void {
  const type = errorType(error);
  const attributes: Attributes = { 'exception.type': type };
  if (error instanceof Error) {
    attributes['exception.message'] = cleanText(error.message);
    if (error.stack !== undefined) attributes['exception.stacktrace'] = cleanText(error.stack, 8_192);
  } else {
    attributes['exception.message'] = cleanText(typeof error === 'string' ? error : typeof error);
  }
  span.addEvent('exception', attributes);
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message: attributes['exception.message'] as string });
}

const NO_OPTIONS: SpanOptions = {};

function sdkOptions({ kind, links, root }: SpanOptions): object {
  return { ...(kind !== undefined && { kind }), ...(links !== undefined && { links }), ...(root === true && { root }) };
}

function isNoop(span: Span, parent: ReturnType<typeof context.active>): boolean {
  const own = span.spanContext();
  return own.traceId === INVALID_TRACEID || own === trace.getSpanContext(parent);
}

function fail(span: Span, error: unknown): void {
  try {
    recordError(span, error);
  } catch {
    // An error whose fields throw must not take the place of itself.
  }
  span.end();
}

/** A bounded name: the code of an error that has one, else its class. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[\w-]{1,64}$/.test(code) ? code : error.name.slice(0, 64);
}

/** Also of what Node's own functions make of a time limit: ask `timeoutOf` first. */
export function isAbort(error: unknown): boolean {
  return isMacadamError(error, 'MAC_ABORTED') || (error instanceof Error && error.name === 'AbortError');
}

/** Whether `value` is something to wait for. */
export function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
