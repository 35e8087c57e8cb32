import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { formatBaggage } from '../baggage.ts';
import { continueTrace } from '../propagation.ts';
import { formatTraceparent } from '../trace-context.ts';
import { validSpanOf } from './valid-span.ts';

/**
 * W3C Trace Context and Baggage, or one of them, for libraries that use the global propagator. Every outgoing request passes
 * `inject`: it writes to the carrier directly, instead of taking the fields of a list of headers.
 *
 * @param fields - the headers to read and write
 */
export function w3cPropagator(fields: readonly string[]): TextMapPropagator {
  const hasTrace = fields.includes('traceparent');
  const hasBaggage = fields.includes('baggage');
  // One list for all callers: some ask for every request.
  const names = Object.freeze([...fields]) as string[];
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      const span = hasTrace ? validSpanOf(context) : undefined;
      if (span !== undefined) setter.set(carrier, 'traceparent', formatTraceparent(span));
      const tracestate = span?.traceState?.serialize() ?? '';
      if (tracestate !== '') setter.set(carrier, 'tracestate', tracestate);
      const baggage = hasBaggage ? propagation.getBaggage(context) : undefined;
      const members = baggage === undefined ? '' : formatBaggage(baggage);
      if (members !== '') setter.set(carrier, 'baggage', members);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      const headers = Object.fromEntries(fields.map((name) => [name, getter.get(carrier, name)]));
      return continueTrace(headers, { trusted: true, context }).context;
    },
    fields: () => names,
  };
}

/** Registers the propagator globally. Returns false if there is another one. */
export function registerPropagator(fields: readonly string[]): boolean {
  return propagation.setGlobalPropagator(w3cPropagator(fields));
}
