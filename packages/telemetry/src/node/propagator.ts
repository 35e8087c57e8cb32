import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { continueTrace, injectTrace } from '../propagation.ts';

/** W3C Trace Context and Baggage, or one of them, for libraries that ask the global propagator. */
export function w3cPropagator(fields: readonly string[]): TextMapPropagator {
  return {
    inject<Carrier>(context: Context, carrier: Carrier, setter: TextMapSetter<Carrier>): void {
      const headers = injectTrace({}, { context, baggage: true }) as Record<string, string>;
      for (const name of fields) if (headers[name] !== undefined) setter.set(carrier, name, headers[name]);
    },
    extract<Carrier>(context: Context, carrier: Carrier, getter: TextMapGetter<Carrier>): Context {
      const headers = Object.fromEntries(fields.map((name) => [name, getter.get(carrier, name)]));
      return continueTrace(headers, { trusted: true, context }).context;
    },
    fields: () => [...fields],
  };
}

/** Makes it the global one. Whether there was none before. */
export function registerPropagator(fields: readonly string[]): boolean {
  return propagation.setGlobalPropagator(w3cPropagator(fields));
}
