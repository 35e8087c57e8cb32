import { types } from 'node:util';

/** Whether a value is an Error, of this realm or another: a test runner gives each file a realm of its own. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
