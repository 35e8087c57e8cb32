import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { continueTrace, injectTrace } from '../propagation.ts';

const FIELDS = ['traceparent', 'tracestate', 'baggage'];

/** W3C Trace Context and Baggage for libraries that ask the global propagator. */
export const w3cPropagator: TextMapPropagator = {
  inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
    const headers = injectTrace({}, { context, baggage: true }) as Record<string, string>;
    for (const name of FIELDS) if (headers[name] !== undefined) setter.set(carrier, name, headers[name]);
  },
  extract<Carrier>(base: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
    const headers = Object.fromEntries(FIELDS.map((name) => [name, getter.get(carrier, name)]));
    return continueTrace(headers, { trusted: true, base }).context;
  },
  fields: () => FIELDS,
};

/** Makes it the global one. Whether there was none before. */
export function registerPropagator(): boolean {
  return propagation.setGlobalPropagator(w3cPropagator);
}
