import { OptionsError, withheld } from '@macadam/core';
import { assertNamedValues } from './named-values.ts';

/** A surrogate without its other half. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The value of a query parameter. `undefined` omits the parameter. */
export type QueryValue = string | number | bigint | boolean | undefined;

/** Query parameters by name. An array becomes one `name=value` per element, in order. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

/**
 * Encodes parameters as `a=1&b=x%20y`, without the question mark; an empty string if there are none. Also used for form bodies.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a value that cannot be encoded (null, NaN, an object), and for parameters that
 * are not an object
 */
export function encodeQuery(query: Query, option = 'request.query'): string {
  assertNamedValues(option, query);
  let text = '';
  for (const name of Object.keys(query)) {
    const value = query[name];
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) text = append(text, option, name, value[i] as QueryValue);
    } else text = append(text, option, name, value as QueryValue);
  }
  return text;
}

function append(text: string, option: string, name: string, value: QueryValue): string {
  if (value === undefined) return text;
  const separator = text === '' ? '' : '&';
  return `${text}${separator}${encodeText(`${option}.${name}`, name)}=${encodeValue(`${option}.${name}`, value)}`;
}

/** Percent-encodes a value. Throws {@link OptionsError}, which does not show the value, if that is impossible. */
export function encodeValue(path: string, value: unknown): string {
  if (typeof value === 'string') return encodeText(path, value);
  if (typeof value === 'number' && Number.isFinite(value)) return encodeURIComponent(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  throw new OptionsError(path, value, 'a string, a finite number, a bigint or a boolean');
}

function encodeText(path: string, value: string): string {
  // A lone surrogate has no UTF-8 encoding, and the URIError of encodeURIComponent would not name the option.
  if (LONE_SURROGATE.test(value)) throw new OptionsError(path, withheld(value), 'text that is well-formed Unicode');
  return encodeURIComponent(value);
}

/** Replaces the values of a query for messages: names come from the code, values may be personal data. */
export function redactQuery(query: string): string {
  return query.replace(/=[^&]*/g, '=REDACTED');
}
