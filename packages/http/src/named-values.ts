import { assertObject, OptionsError } from '@macadam/core';

/**
 * Throws {@link OptionsError} unless `value` is an object that holds values as properties. `Headers`, `URLSearchParams` and `Map`
 * have no such properties: read like that, their content would be left out silently.
 */
export function assertNamedValues(path: string, value: unknown): void {
  assertObject(path, value);
  if (Symbol.iterator in (value as object)) {
    throw new OptionsError(path, value, 'an object with values by name, such as Object.fromEntries() makes of a list');
  }
}
