import { type Context, isSpanContextValid, type SpanContext, trace } from '@opentelemetry/api';
import { RecordedSpan } from './recorded-span.ts';

/** Returns the span of a context if it is valid, and so can be a parent and be sent to other services. */
export function validSpanOf(context: Context): SpanContext | undefined {
  const span = trace.getSpan(context);
  if (span === undefined) return undefined;
  const spanContext = span.spanContext();
  // To check ids takes longer than to create them, and those created here are valid.
  return span instanceof RecordedSpan || isSpanContextValid(spanContext) ? spanContext : undefined;
}
