// What `console.log` prints of the tracer and of spans: what is in them, without the parts that do the work.
import type { inspect, InspectOptionsStylized } from 'node:util';
import type { Resource } from './resource.ts';
import type { ReadableSpan } from './traces-sdk.ts';

export function inspectSpan(
  span: ReadableSpan,
  depth: number,
  options: InspectOptionsStylized,
  print: typeof inspect,
): string {
  const { name, kind, parentSpanContext, status, startTime, endTime, duration, ended } = span;
  const { attributes, events, links, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  const fields = {
    ...{ name, kind, spanContext: span.spanContext(), parentSpanContext, status, startTime, endTime, duration, ended },
    ...{ attributes, events, links, droppedAttributesCount, droppedEventsCount, droppedLinksCount },
    ...{ instrumentationScope: span.instrumentationScope, resource: { attributes: knownAttributes(span.resource) } },
  };
  return inspectAs('Span', fields, depth, options, print);
}

export function inspectAs(
  className: string,
  fields: object,
  depth: number,
  options: InspectOptionsStylized,
  print: typeof inspect,
): string {
  if (depth < 0) return options.stylize(`[${className}]`, 'special');
  const inner = typeof options.depth === 'number' ? { ...options, depth: options.depth - 1 } : options;
  return `${className} ${print(fields, inner)}`;
}

/** The attributes that are known by now: to read `attributes` while others are being detected logs an error. */
export function knownAttributes(resource: Resource): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  // The first of several with the same name counts.
  for (const [name, value] of resource.getRawAttributes())
    if (value !== undefined && value !== null && !(value instanceof Promise)) known[name] ??= value;
  return known;
}
