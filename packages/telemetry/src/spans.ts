import { assertFunction, assertObject, isMacadamError, timeoutOf } from '@macadam/core';
import { context, INVALID_TRACEID, trace, type Tracer, type TracerProvider } from '@opentelemetry/api';
import { type Attributes, type Link, type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { cleanText, spanAttributes } from './attributes.ts';
import { isError } from './is-error.ts';
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

/** The tracer of the registered provider. Looked up again when that changes: an old tracer belongs to an SDK that was shut down. */
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
  // A no-op span, as without an SDK, has nothing to record or to propagate, so it does not become the active span. A span
  // that an SDK did not sample does: its id and the decision not to sample travel to other services.
  if (!span.isRecording() && isNoop(span, parent)) return fn(span);
  if (options.attributes !== undefined && span.isRecording()) span.setAttributes(spanAttributes(options.attributes));
  let result: T;
  try {
    result = context.with(trace.setSpan(parent, span), fn, undefined, span);
  } catch (error) {
    endWithError(span, error);
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
      endWithError(span, error);
      throw error;
    },
  ) as T;
}

/**
 * Records an error on a span: type, message and stack without credentials, and the error status. An abort is not recorded. Of
 * an error that refuses the caller with a 4xx (see `WorkOutcome`), only `error.type` is: to OpenTelemetry, a server has not
 * failed there, but its caller has (spans of the kind CLIENT), and so has a server that refuses with 503.
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
  else recordException(span, timeout ?? error);
}

/**
 * Whether the error is a refusal that leaves the span without the error status:
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status. `kind` is not part of the API, but spans of SDKs have it.
 */
function isRefusal(span: Span & { readonly kind?: SpanKind }, error: unknown): boolean {
  const status = span.kind === SpanKind.CLIENT ? undefined : refusalStatusOf(error);
  return status !== undefined && status < 500;
}

function recordException(span: Span, error: unknown): void {
  const type = errorType(error);
  const attributes: Attributes = { 'exception.type': type };
  if (isError(error)) {
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

/** Whether the span has no id of its own: an invalid one, or the context of its parent. */
function isNoop(span: Span, parent: ReturnType<typeof context.active>): boolean {
  const own = span.spanContext();
  return own.traceId === INVALID_TRACEID || own === trace.getSpanContext(parent);
}

function endWithError(span: Span, error: unknown): void {
  try {
    recordError(span, error);
  } catch {
    // The error has fields that throw. The caller must get that error, not what its fields throw.
  }
  span.end();
}

/** The code of an error that has one, else its class; at most 64 characters. */
function errorType(error: unknown): string {
  if (!isError(error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[\w-]{1,64}$/.test(code) ? code : error.name.slice(0, 64);
}

/** Whether an error means that the caller cancelled. True for a timeout as Node's own functions report it, so call `timeoutOf` first. */
export function isAbort(error: unknown): boolean {
  return isMacadamError(error, 'MAC_ABORTED') || (isError(error) && error.name === 'AbortError');
}

export function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
