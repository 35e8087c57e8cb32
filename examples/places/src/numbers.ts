// Numbers as somebody writes them behind an option.
import { assertNumber, type Range } from '@macadam/core';

/** @throws OptionsError (`MAC_INVALID_OPTIONS`), which names the option, shows what was written and says what is allowed. */
export function numberOf(option: string, text: string, range: Range): number {
  const value = text.trim() === '' ? NaN : Number(text);
  assertNumber(option, Number.isNaN(value) ? text : value, range);
  return value;
}
