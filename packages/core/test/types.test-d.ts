import {
  abortable,
  ClosedError,
  currentWork,
  isMacadamError,
  MacadamError,
  OptionsError,
  runWork,
  systemClock,
  timeoutOf,
  underPath,
  type Clock,
  type Priority,
  type Random,
  type Work,
} from '@macadam/core';
import { expectTypeOf } from 'vitest';

// runWork returns exactly what the function returns.
expectTypeOf(runWork({}, () => 1)).toEqualTypeOf<number>();
expectTypeOf(runWork({ timeoutMs: 5 }, async () => 'a')).toEqualTypeOf<Promise<string>>();
// @ts-expect-error -- Unknown options are rejected.
runWork({ timeout: 5 }, () => 1);
// @ts-expect-error -- A priority is a string.
runWork({ priority: 1 }, () => 1);
// @ts-expect-error -- With exactOptionalPropertyTypes, undefined is not the same as no option.
runWork({ timeoutMs: undefined }, () => 1);

expectTypeOf(currentWork()).toEqualTypeOf<Work | undefined>();
expectTypeOf<Priority>().toEqualTypeOf<'critical' | 'high' | 'normal' | 'low' | 'background'>();
expectTypeOf(systemClock).toExtend<Clock>();
expectTypeOf<Random>().toEqualTypeOf<() => number>();
expectTypeOf(abortable(Promise.resolve(1), undefined)).toEqualTypeOf<Promise<number>>();
expectTypeOf(timeoutOf(new Error('late') as unknown)).toEqualTypeOf<Error | undefined>();

// underPath returns the result of the check.
expectTypeOf(underPath('createX', () => 1)).toEqualTypeOf<number>();
expectTypeOf(new ClosedError('Cache "users"').component).toEqualTypeOf<string>();

const unknownError: unknown = new OptionsError('path', 1, 'a string');
if (isMacadamError(unknownError)) {
  expectTypeOf(unknownError).toExtend<MacadamError>();
  expectTypeOf(unknownError.code).toEqualTypeOf<string>();
}
if (isMacadamError(unknownError, 'MAC_TIMEOUT')) expectTypeOf(unknownError.code).toExtend<'MAC_TIMEOUT'>();
// @ts-expect-error -- The code of an error is read-only.
new MacadamError('x', { code: 'MAC_X' }).code = 'MAC_Y';
// @ts-expect-error -- The code is required.
new MacadamError('x', {});
