import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { OptionsError } from './errors.ts';
import {
  assertBoolean,
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertText,
} from './options.ts';

function refusal(check: () => void): OptionsError {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return error as OptionsError;
  }
  throw new Error('it was accepted');
}

describe('assertNumber, assertInteger and assertDurationMs', () => {
  it.each([
    { check: assertNumber, value: 0, range: {} },
    { check: assertNumber, value: -1.5, range: {} },
    { check: assertNumber, value: 1, range: { min: 1, max: 2 } },
    { check: assertNumber, value: 2, range: { min: 1, max: 2 } },
    { check: assertNumber, value: 0.001, range: { above: 0 } },
    { check: assertNumber, value: Infinity, range: { min: 1, max: 5, infinite: true } },
    { check: assertInteger, value: 3, range: { min: 1 } },
    { check: assertInteger, value: Infinity, range: { min: 1, infinite: true } },
    { check: assertDurationMs, value: 0.5, range: undefined },
    { check: assertDurationMs, value: 0, range: { min: 0 } },
  ])('$check.name accepts $value for $range', ({ check, value, range }) => {
    expect(() => check('x', value, range)).not.toThrow();
  });

  it.each([
    { check: assertNumber, value: '5', range: {}, allowed: 'a number' },
    { check: assertNumber, value: Number.NaN, range: {}, allowed: 'a number' },
    { check: assertNumber, value: Infinity, range: {}, allowed: 'a number' },
    { check: assertNumber, value: -Infinity, range: { infinite: true }, allowed: 'a number, or Infinity' },
    { check: assertNumber, value: 0, range: { above: 0 }, allowed: 'a number above 0' },
    { check: assertNumber, value: 0, range: { min: 1, max: 5 }, allowed: 'a number of at least 1 and at most 5' },
    { check: assertNumber, value: 6, range: { max: 5 }, allowed: 'a number of at most 5' },
    { check: assertNumber, value: 5n, range: {}, allowed: 'a number' },
    { check: assertInteger, value: 1.5, range: { min: 1 }, allowed: 'a whole number of at least 1' },
    {
      check: assertInteger,
      value: 0,
      range: { min: 1, infinite: true },
      allowed: 'a whole number of at least 1, or Infinity',
    },
    { check: assertDurationMs, value: 0, range: undefined, allowed: 'a number of milliseconds above 0' },
    { check: assertDurationMs, value: -1, range: undefined, allowed: 'a number of milliseconds above 0' },
    { check: assertDurationMs, value: null, range: { min: 0 }, allowed: 'a number of milliseconds of at least 0' },
  ])('$check.name refuses $value for $range, as it must be $allowed', ({ check, value, range, allowed }) => {
    expect(refusal(() => check('some.path', value, range))).toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: 'some.path',
      allowed,
    });
  });
});

describe('assertBoolean, assertText, assertFunction, assertOneOf, assertClock and assertObject', () => {
  const accepts: readonly [string, () => void][] = [
    ['a boolean', () => assertBoolean('x', false)],
    ['a text', () => assertText('x', 'a')],
    ['a function', () => assertFunction('x', () => {})],
    ['one of the allowed', () => assertOneOf('x', 'b', ['a', 'b'])],
    ['a clock', () => assertClock('x', systemClock)],
    ['an object', () => assertObject('x', {})],
    ['an object without a prototype', () => assertObject('x', Object.create(null))],
  ];
  it.each(accepts)('accept %s', (_, check) => {
    expect(check).not.toThrow();
  });

  it.each([
    { check: () => assertBoolean('x', 'true'), received: '"true"', allowed: 'true or false' },
    { check: () => assertBoolean('x', 0), received: '0', allowed: 'true or false' },
    { check: () => assertText('x', ''), received: '""', allowed: 'a string that is not empty' },
    { check: () => assertText('x', undefined), received: 'undefined', allowed: 'a string that is not empty' },
    { check: () => assertFunction('x', {}), received: 'an object', allowed: 'a function' },
    { check: () => assertOneOf('x', 'c', ['a', 'b']), received: '"c"', allowed: 'one of "a", "b"' },
    { check: () => assertObject('x', 'a secret'), received: 'a text that is not shown', allowed: 'an object' },
    {
      check: () => assertClock('x', { now: () => 0 }),
      received: 'an object',
      allowed: 'a clock, with now, monotonic, setTimer and sleep',
    },
    {
      check: () => assertClock('x', null),
      received: 'null',
      allowed: 'a clock, with now, monotonic, setTimer and sleep',
    },
    { check: () => assertObject('x', null), received: 'null', allowed: 'an object' },
    { check: () => assertObject('x', []), received: 'an empty array', allowed: 'an object' },
    { check: () => assertObject('x', [1, 2]), received: 'an array of 2', allowed: 'an object' },
    { check: () => assertObject('x', () => {}), received: 'a function', allowed: 'an object' },
    { check: () => assertText('x', Symbol('s')), received: 'a symbol', allowed: 'a string that is not empty' },
    { check: () => assertText('x', 12n), received: '12n', allowed: 'a string that is not empty' },
    { check: () => assertText('x', new Date()), received: 'a Date', allowed: 'a string that is not empty' },
  ])('refuse $received, which must be $allowed', ({ check, received, allowed }) => {
    expect(refusal(check)).toMatchObject({ path: 'x', received, allowed });
  });
});

describe('assertKnownOptions', () => {
  const known = ['timeoutMs', 'maxAttempts', 'signal'];

  it.each([
    { typed: 'timeoutMS', meant: 'timeoutMs' },
    { typed: 'timeout', meant: 'timeoutMs' },
    { typed: 'timoutMs', meant: 'timeoutMs' },
    { typed: 'maxAttemps', meant: 'maxAttempts' },
    { typed: 'maxAttemptss', meant: 'maxAttempts' },
    { typed: 'signel', meant: 'signal' },
  ])('suggests $meant for $typed', ({ typed, meant }) => {
    const error = refusal(() => assertKnownOptions('retry', { [typed]: 1 }, known));
    expect(error).toMatchObject({ path: `retry.${typed}`, allowed: `left out (did you mean ${meant}?)` });
  });

  it('lists the known names if none is similar', () => {
    const error = refusal(() => assertKnownOptions('', { colour: 'red' }, known));
    expect(error).toMatchObject({ path: 'colour', allowed: 'left out, or one of timeoutMs, maxAttempts, signal' });
  });

  it.each([{}, { signal: undefined }, { timeoutMs: 1, maxAttempts: 2 }])('accepts %j', (options) => {
    expect(() => assertKnownOptions('retry', options, known)).not.toThrow();
  });

  it('does not show a string under an unknown name, which may be a secret', () => {
    const error = refusal(() => assertKnownOptions('', { secret: 'hunter2', signal: 1 }, ['secrets', 'signal']));
    expect(error.message).toBe(
      'Option secret is a text that is not shown; it must be left out (did you mean secrets?).',
    );
    expect(refusal(() => assertKnownOptions('', { timeout: 5 }, known)).received).toBe('5');
  });

  it('refuses an own option named like a property of Object.prototype', () => {
    expect(refusal(() => assertKnownOptions('x', { toString: 1 }, known)).path).toBe('x.toString');
    expect(refusal(() => assertKnownOptions('x', JSON.parse('{"__proto__":{"signal":1}}'), known)).path).toBe(
      'x.__proto__',
    );
  });
});
