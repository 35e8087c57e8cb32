// RFC 9651: what a value is written as, whatever way it came; and what cannot be read, or not in one way alone.
import { describe, expect, it } from 'vitest';
import { type FieldKind, rewrite, rewriteMember } from './structured-fields.ts';

describe('a structured field', () => {
  it.each<[FieldKind, string, string]>([
    ['item', '042', '42'],
    ['item', '-0', '0'],
    ['item', '999999999999999', '999999999999999'],
    ['item', '1.230', '1.23'],
    ['item', '-0.5', '-0.5'],
    ['item', '1.0', '1.0'],
    ['item', '-007.00', '-7.0'],
    ['item', '-0.0', '0.0'],
    ['item', '123456789012.0', '123456789012.0'],
    ['item', 'D1.0;q=1.0;d=?1', 'D1.0;q=1.0;d'],
    ['list', '"DD", D, DDD1.0, 1.0', '"DD", D, DDD1.0, 1.0'],
    ['list', '(1.0 "1.0" 1);q=0.0, DD', '(1.0 "1.0" 1);q=0.0, DD'],
    ['item', ' a ; b ; c=1 '.replaceAll(' ;', ';'), 'a;b;c=1'],
    ['item', 'a;b=?1', 'a;b'],
    ['item', 'a;b=?0', 'a;b=?0'],
    ['item', '"a\\"\\\\;,b"', '"a\\"\\\\;,b"'],
    ['item', ':aGVsbG8=:', ':aGVsbG8=:'],
    ['item', '::', '::'],
    ['item', '@1659578233', '@1659578233'],
    ['item', '%"f%c3%bc%c3%bc"', '%"f%c3%bc%c3%bc"'],
    ['item', '*token/a:b', '*token/a:b'],
    ['item', 'v1.0', 'v1.0'],
    ['list', '', ''],
    ['list', 'a ,\tb,   c', 'a, b, c'],
    ['list', '( "a"  b );x , ()', '("a" b);x, ()'],
    ['list', '"a;b, c=1.0"', '"a;b, c=1.0"'],
    ['dictionary', 'a=?1,b=2;x ,c=(1 2);y', 'a, b=2;x, c=(1 2);y'],
    ['dictionary', 'a;x=1', 'a;x=1'],
  ])('%s %j is %j', (kind, text, expected) => {
    expect(rewrite(text, kind)).toBe(expected);
  });

  it.each<[FieldKind, string]>([
    ['item', ''],
    ['item', 'a b'],
    ['item', '1,2'],
    ['item', '1000000000000000'],
    ['item', '1.'],
    ['item', '1.2345'],
    ['item', '--1'],
    ['item', '"a'],
    ['item', '"a\\b"'],
    ['item', '"ä"'],
    ['item', ':a b=:'],
    ['item', ':aGVsbG8='],
    ['item', '?2'],
    ['item', '%"%zz"'],
    ['item', 'a;B=1'],
    ['item', 'a;b=1;b=1'],
    ['item', '1.0.5'],
    ['item', '1.0a'],
    ['item', '1.0000'],
    ['item', '1234567890123.0'],
    ['item', '-'],
    ['dictionary', '1.0=1'],
    ['list', 'a,'],
    ['list', 'a,,b'],
    ['list', '(a'],
    ['list', '(a,b)'],
    ['list', '("a""b")'],
    ['list', '(a;x;x b)'],
    ['dictionary', 'a=1,'],
    ['dictionary', 'A=1'],
    ['dictionary', 'a=1,a=2'],
    ['dictionary', 'a=1, b=(x;y;y)'],
    ['dictionary', '=1'],
  ])('%s %j is not read', (kind, text) => {
    expect(rewrite(text, kind)).toBeUndefined();
  });
});

describe('a member of a dictionary', () => {
  it.each([
    ['a=1.0, b=2', 'a', '1.0'],
    ['a=1, b=(1.0 2 );x', 'b', '(1.0 2);x'],
    ['a, b', 'a', '?1'],
    ['a, b', 'c', undefined],
    ['a=1, a=2', 'a', undefined],
    ['a=(', 'a', undefined],
  ])('%s has as %s: %s', (text, name, expected) => {
    expect(rewriteMember(text, name)).toBe(expected);
  });
});
