import { validateHeaderName, validateHeaderValue } from 'node:http';
import { assertInteger, assertKnownOptions, assertObject, OptionsError, withheld } from '@macadam/core';

/** A response as `handle` returns it, with at most one of `json`, `text` and `body`. */
export interface FaultResponse {
  /** The status, 200 to 999. Default: 200. */
  status?: number;
  /** The response headers by name, in any case. Default: those that the body needs. */
  headers?: Record<string, string | string[]>;
  /** A value to send as JSON. */
  json?: unknown;
  /** Text to send as UTF-8. */
  text?: string;
  /** Bytes to send as they are. Default: an empty body. */
  body?: Uint8Array;
}

/** A response as it is sent. */
export interface WireResponse {
  /** The status. */
  readonly status: number;
  /** The response headers, by lower-case name. */
  readonly headers: Record<string, string | string[]>;
  /** The body. */
  readonly body: Uint8Array;
}

/**
 * Validates a response and adds the defaults.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a response that cannot be sent as valid HTTP.
 */
export function toWireResponse(response: FaultResponse, path = 'handle()'): WireResponse {
  assertObject(path, response);
  assertKnownOptions(path, response, ['status', 'headers', 'json', 'text', 'body']);
  const { status = 200, json, text, body } = response;
  assertInteger(`${path}.status`, status, { min: 200, max: 999 });
  if ([json, text, body].filter((one) => one !== undefined).length > 1) {
    throw new OptionsError(path, response, 'a response with at most one of json, text and body');
  }
  const headers = toWireHeaders(`${path}.headers`, response.headers ?? {});
  if (text !== undefined && typeof text !== 'string') throw new OptionsError(`${path}.text`, text, 'a string');
  if (body !== undefined && !(body instanceof Uint8Array)) {
    throw new OptionsError(`${path}.body`, body, 'a Uint8Array; pass a string as text, and any other value as json');
  }
  if (json !== undefined) {
    return {
      status,
      headers: { 'content-type': 'application/json', ...headers },
      body: Buffer.from(JSON.stringify(json)),
    };
  }
  if (text !== undefined) {
    return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: Buffer.from(text) };
  }
  return { status, headers, body: body ?? new Uint8Array() };
}

/** Validates headers and lowers the case of their names, so that a given header replaces the default of that name. */
function toWireHeaders(path: string, headers: Record<string, string | string[]>): Record<string, string | string[]> {
  assertObject(path, headers);
  const lowerCased: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one);
    } catch {
      throw new OptionsError(`${path}.${name}`, withheld(value), 'a name and a value that HTTP can carry');
    }
    lowerCased[name.toLowerCase()] = value;
  }
  return lowerCased;
}

/**
 * Returns the header with the length of the body. A 204 has none (RFC 9110, section 8.6), and that of a 304 would be the length of
 * another body.
 */
export function lengthHeader({ status, body }: WireResponse): Record<string, string> {
  return status === 204 || status === 304 ? {} : { 'content-length': String(body.byteLength) };
}

/** The response with which a fault server reports an error of the test's own code. */
export function failureResponse(what: string, error: unknown): WireResponse {
  return toWireResponse({ status: 500, text: `${what} failed: ${String(error)}` });
}
