import { assertObject, OptionsError } from '@macadam/core';

/**
 * Throws {@link OptionsError} unless `value` has its values under the names of its properties. A `Headers`, a
 * `URLSearchParams` and a `Map` do not: taken for such an object they would be empty, and what they hold left out.
 */
export function assertNamedValues(path: string, value: unknown): void {
  assertObject(path, value);
  if (Symbol.iterator in (value as object)) {
    throw new OptionsError(path, value, 'an object with values by name, such as Object.fromEntries() makes of a list');
  }
}
