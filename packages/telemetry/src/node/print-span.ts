import { inspect, type InspectOptionsStylized } from 'node:util';
import type { Resource } from './resource.ts';
import type { ReadableSpan } from './traces-sdk.ts';

/** What `console.log` prints of a span, which is what an exporter can read of it: for the method `inspect.custom` of spans. */
export function printSpan(this: ReadableSpan, depth: number, options: InspectOptionsStylized): string {
  if (depth < 0) return options.stylize('[Span]', 'special');
  const { name, kind, parentSpanContext, status, startTime, endTime, duration, ended } = this;
  const { attributes, events, links, droppedAttributesCount, droppedEventsCount, droppedLinksCount } = this;
  const fields = {
    ...{ name, kind, spanContext: this.spanContext(), parentSpanContext, status, startTime, endTime, duration, ended },
    ...{ attributes, events, links, droppedAttributesCount, droppedEventsCount, droppedLinksCount },
    ...{ instrumentationScope: this.instrumentationScope, resource: { attributes: knownAttributes(this.resource) } },
  };
  const inner = typeof options.depth === 'number' ? { ...options, depth: options.depth - 1 } : options;
  return `Span ${inspect(fields, inner)}`;
}

/** The attributes that are known by now: to read `attributes` while others are being detected logs an error. */
function knownAttributes(resource: Resource): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  // The first of several with the same name counts.
  for (const [name, value] of resource.getRawAttributes())
    if (value !== undefined && value !== null && !(value instanceof Promise)) known[name] ??= value;
  return known;
}
