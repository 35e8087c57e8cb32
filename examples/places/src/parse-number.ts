// Parses the numbers of command line options.
import { assertNumber, type Range } from '@macadam/core';

/** @throws OptionsError (`MAC_INVALID_OPTIONS`) with the option, the text and the allowed range. */
export function parseNumber(option: string, text: string, range: Range): number {
  const value = text.trim() === '' ? NaN : Number(text);
  assertNumber(option, Number.isNaN(value) ? text : value, range);
  return value;
}
