/** What a propagator needs to add headers to a request: a context and a setter. */
import { OptionsError } from '@macadam/core';
import { assertHeaderValue, isHeaderName, TRANSPORT_HEADERS } from './headers.ts';

/** The header of W3C Trace Context that names the span. */
export const TRACEPARENT = 'traceparent';

/** What propagators nearly always set. The names need no check. */
export const W3C_HEADERS: ReadonlySet<string> = new Set([TRACEPARENT, 'tracestate', 'baggage']);

/**
 * Lets a propagator add to a flat list of headers.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), to the propagator, for what would break the request or smuggle another one.
 */
export const headerPairs = {
  set(headers: string[], name: string, value: string): void {
    const lower = W3C_HEADERS.has(name) ? name : allowedName(name);
    assertHeaderValue(`propagator.${lower}`, value);
    headers.push(lower, value);
  },
};

function allowedName(name: string): string {
  const lower = String(name).toLowerCase();
  if (isHeaderName(lower) && lower !== 'host' && !TRANSPORT_HEADERS.has(lower)) return lower;
  throw new OptionsError('propagator', name, 'one that sets other headers than those of the connection');
}

/** The value of the header of W3C Trace Context, section 3.2. */
export function traceparent(span: { traceId: string; spanId: string; traceFlags: number }): string {
  const { traceId, spanId, traceFlags } = span;
  const flags = traceFlags === 1 ? '01' : (traceFlags & 0xff).toString(16).padStart(2, '0');
  return `00-${traceId}-${spanId}-${flags}`;
}

/** A `Context` of OpenTelemetry's API, which `instruments.ts` alone imports. */
interface ContextLike {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): ContextLike;
  deleteValue(key: symbol): ContextLike;
}

/** A context that differs from another one by at most one value. An SDK's own would copy all values of the other one. */
export class DerivedContext implements ContextLike {
  readonly #from: ContextLike;
  readonly #key: symbol | undefined;
  readonly #value: unknown;

  constructor(from: ContextLike, key?: symbol, value?: unknown) {
    this.#from = from;
    this.#key = key;
    this.#value = value;
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : this.#from.getValue(key);
  }

  setValue(key: symbol, value: unknown): DerivedContext {
    return new DerivedContext(this, key, value);
  }

  deleteValue(key: symbol): DerivedContext {
    return new DerivedContext(this, key);
  }
}
