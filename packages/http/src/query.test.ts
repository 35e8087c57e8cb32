import { OptionsError } from '@macadam/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeQuery, redactQuery, type Query } from './query.ts';

describe('encodeQuery', () => {
  const rows: [what: string, query: Query, text: string][] = [
    ['nothing', {}, ''],
    ['text', { a: 'x y&z=1' }, 'a=x%20y%26z%3D1'],
    ['numbers, bigints and booleans', { n: 1.5, b: 10n, t: true }, 'n=1.5&b=10&t=true'],
    ['a list is repeated, in order', { a: ['2', 1, '2'] }, 'a=2&a=1&a=2'],
    ['an empty list is nothing', { a: [], b: 1 }, 'b=1'],
    ['undefined is left out, also in a list', { a: undefined, b: [undefined, 1] }, 'b=1'],
    ['an empty string is sent', { a: '' }, 'a='],
    ['names are encoded too', { 'a b': 'ä' }, 'a%20b=%C3%A4'],
    ['a plus stays a plus', { a: '+' }, 'a=%2B'],
  ];
  test.each(rows)('%s', (_what, query, text) => expect(encodeQuery(query)).toBe(text));

  test.each([
    ['null', null],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['an object', { a: 1 }],
    ['a date', new Date(0)],
    ['half a surrogate pair', '\ud800'],
  ])('rejects %s', (_what, value) => {
    expect(() => encodeQuery({ ok: 1, a: value } as unknown as Query)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'request.query.a' }),
    );
  });

  test('an error never shows the text', () => {
    const error = catchError(() => encodeQuery({ token: 'canary\ud800' }));
    expect(error).toBeInstanceOf(OptionsError);
    expect(JSON.stringify(error) + String(error)).not.toContain('canary');
  });

  test('property: URLSearchParams decodes what was encoded', () => {
    const wellFormed = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(fc.dictionary(wellFormed, fc.array(wellFormed, { minLength: 1 })), (query) => {
        const decoded = new URLSearchParams(encodeQuery(query));
        for (const name of Object.keys(query)) expect(decoded.getAll(name)).toEqual(query[name]);
      }),
    );
  });
});

test('redactQuery keeps names and drops every value', () => {
  expect(redactQuery('token=abc&page=2&empty=')).toBe('token=REDACTED&page=REDACTED&empty=REDACTED');
});

function catchError(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('did not throw');
}
