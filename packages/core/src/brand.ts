import type { MacadamError } from './errors.ts';

/**
 * `instanceof` fails for errors of another copy of this package, and npm easily installs two. A registered symbol is the
 * same in every copy.
 */
const BRAND = Symbol.for('macadam.error');

/** Marks a prototype, and so every instance, as an error of this project. */
export function registerBrand(prototype: object): void {
  Object.defineProperty(prototype, BRAND, { value: true });
}

/**
 * Whether `error` is an error of Macadam, and has that `code` if one is given. Unlike `instanceof`, it recognises errors of every copy
 * and version of the packages in the process.
 *
 * @example
 * ```ts
 * import { isMacadamError, OptionsError } from '@macadam/core';
 *
 * const error: unknown = new OptionsError('timeoutMs', -1, 'a number above 0');
 * if (!isMacadamError(error, 'MAC_INVALID_OPTIONS')) throw new Error('not recognised');
 * ```
 */
export function isMacadamError<Code extends string>(
  error: unknown,
  code?: Code,
): error is MacadamError & { readonly code: Code } {
  if (typeof error !== 'object' || error === null) return false;
  try {
    if ((error as Record<symbol, unknown>)[BRAND] !== true) return false;
    return code === undefined || (error as MacadamError).code === code;
  } catch {
    // Anything can be thrown, also a proxy that cannot be read.
    return false;
  }
}
