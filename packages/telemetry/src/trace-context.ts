import { createTraceState, isValidSpanId, isValidTraceId, type SpanContext } from '@opentelemetry/api';

// W3C Trace Context, https://www.w3.org/TR/trace-context/. A header that breaks a rule of it is ignored.

const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
/** A valid header has 55 characters; one of a later version may be longer, but not without a limit. */
const MAX_TRACEPARENT_LENGTH = 512;
/** The standard asks that at least 512 characters be propagated. */
const MAX_TRACESTATE_LENGTH = 512;
const MAX_MEMBERS = 32;
const STATE_KEY = /^(?:[a-z\d][-_*/a-z\d]{0,255}|[a-z\d][-_*/a-z\d]{0,240}@[a-z][-_*/a-z\d]{0,13})$/;
const STATE_VALUE = /^[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/**
 * Returns the span that a `traceparent` header names, or undefined when the header is not valid (W3C Trace Context,
 * section 3.2).
 *
 * @example
 * ```ts
 * import { parseTraceparent } from '@macadam/telemetry';
 *
 * const span = parseTraceparent('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
 * if (span?.spanId !== '00f067aa0ba902b7') throw new Error('unexpected');
 * ```
 */
export function parseTraceparent(text: string): SpanContext | undefined {
  if (text.length > MAX_TRACEPARENT_LENGTH) return undefined;
  // HTTP allows blanks around a field value, which are not part of it.
  const [, version, traceId = '', spanId = '', flags = '', rest] = TRACEPARENT.exec(text.trim()) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (!isValidTraceId(traceId) || !isValidSpanId(spanId)) return undefined;
  // In a later version only the meaning of the first bit is certain.
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & (version === '00' ? 0xff : 1), isRemote: true };
}

/**
 * Returns the value of `traceparent` for a span (W3C Trace Context).
 *
 * @example
 * ```ts
 * import { formatTraceparent, parseTraceparent } from '@macadam/telemetry';
 *
 * const span = parseTraceparent('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
 * if (span !== undefined) console.log(formatTraceparent(span));
 * ```
 */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  const flags = traceFlags === 1 ? '01' : (traceFlags & 0xff).toString(16).padStart(2, '0');
  return `00-${traceId}-${spanId}-${flags}`;
}

/**
 * Returns the span context with the `tracestate` of `text`. The whole header is dropped if a member is invalid, a key
 * occurs twice or there are more than 32 members (section 3.3).
 */
export function withTracestate(span: SpanContext, text: string): SpanContext {
  if (text.length > MAX_TRACESTATE_LENGTH) return span;
  // Empty members are allowed. They arise where several headers are joined.
  const members = text.split(',').flatMap((member) => (member.trim() === '' ? [] : [member.trim()]));
  const keys = new Set<string>();
  for (const member of members) {
    const equals = member.indexOf('=');
    if (!STATE_KEY.test(member.slice(0, Math.max(equals, 0))) || !STATE_VALUE.test(member.slice(equals + 1)))
      return span;
    keys.add(member.slice(0, equals));
  }
  if (keys.size !== members.length || members.length === 0 || members.length > MAX_MEMBERS) return span;
  return { ...span, traceState: createTraceState(members.join(',')) };
}
