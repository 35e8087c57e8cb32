// RFC 9651: the canonical form of a field, and fields that are malformed or ambiguous.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldKind, memberSerializer, parseStrictDictionary, reserialize } from './structured-fields.ts';

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
    // The library parses a date only at the end of the text, and serializes one out of range as @NaN.
    ['item', '@-8640000000001;a=@000000000000007;b', '@-8640000000001;a=@7;b'],
    ['item', '@999999999999999', '@999999999999999'],
    ['list', '@1, (@-0 @2);dt=@3;x , "@4", DT5, 1.0', '@1, (@0 @2);dt=@3;x, "@4", DT5, 1.0'],
    ['dictionary', 'a=@1;b=@2,c=@99999999999999', 'a=@1;b=@2, c=@99999999999999'],
    ['item', '"@99999999999999"', '"@99999999999999"'],
    ['item', '%"f%c3%bc%c3%bc"', '%"f%c3%bc%c3%bc"'],
    // In a display string a backslash does not escape, so it does not hide the end.
    ['dictionary', 'a=%"x\\", b="1;2,3"', 'a=%"x\\", b="1;2,3"'],
    ['list', '%"x\\", 1.0, "a"', '%"x\\", 1.0, "a"'],
    ['item', '%"a %ef%bb%bf \'(),;"', '%"a %ef%bb%bf \'(),;"'],
    ['item', '*token/a:b', '*token/a:b'],
    ['item', 'v1.0', 'v1.0'],
    ['list', '', ''],
    ['list', 'a ,\tb,   c', 'a, b, c'],
    ['list', '( "a"  b );x , ()', '("a" b);x, ()'],
    ['list', '"a;b, c=1.0"', '"a;b, c=1.0"'],
    ['dictionary', 'a=?1,b=2;x ,c=(1 2);y', 'a, b=2;x, c=(1 2);y'],
    ['dictionary', 'a;x=1', 'a;x=1'],
  ])('%s %j is serialized as %j', (kind, text, expected) => {
    expect(reserialize(text, kind)).toBe(expected);
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
    // The library would serialize it as %"a".
    ['item', '%"%ef%bb%bfa"'],
    ['item', '@1000000000000000'],
    ['item', '@--1'],
    ['item', '@@1'],
    ['item', 'a@1'],
    ['item', '@1.0'],
    ['list', '"a"@1'],
    ['dictionary', '@1=1'],
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
  ])('%s %j is rejected', (kind, text) => {
    expect(reserialize(text, kind)).toBeUndefined();
  });
});

describe('parseStrictDictionary', () => {
  it('rejects dates beyond the range of the library', () => {
    expect(parseStrictDictionary('sig=("@method");x=@8640000000000')).toBeDefined();
    expect(parseStrictDictionary('sig=("@method");x=@8640000000001')).toBeUndefined();
    expect(parseStrictDictionary('sig=("@method");x="@8640000000001"')).toBeDefined();
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
  ])('%s has the member %s: %s', (text, name, expected) => {
    expect(memberSerializer(text)(name)).toBe(expected);
  });
});

// The public vectors for structured fields try every character in every place; so do these, against the grammar of RFC
// 9651.
describe('every character, compared with the grammar', () => {
  const characters = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
  const reads = (kind: FieldKind, text: string): boolean => reserialize(text, kind) !== undefined;
  /** A bare item by the grammar, without parameters and surrounding spaces. */
  const ITEM =
    /^(?:-?\d{1,15}|-?\d{1,12}\.\d{1,3}|"(?:[ !#-[\]-~]|\\["\\])*"|[A-Za-z*][\w!#$%&'*+.^`|~:/-]*|\?[01]|@-?\d{1,15})$/;
  const KEY = /^[a-z*][a-z0-9_.*-]*$/;

  it.each<[string, (character: string) => string]>([
    ['the first of a token', (one) => one],
    ['the second of a token', (one) => `a${one}b`],
    ['the last of a token', (one) => `a${one}`],
    ['a string', (one) => `"${one}"`],
    ['the middle of a string', (one) => `"a${one}b"`],
    ['an escape', (one) => `"\\${one}"`],
    ['a number', (one) => `1${one}1`],
    ['a boolean', (one) => `?${one}`],
    ['a date', (one) => `@1${one}`],
  ])('as %s', (_where, make) => {
    const differ = characters.filter((one) => {
      const text = make(one);
      // Characters that start parameters or are stripped around a value are not compared.
      if (/;|^ | $/.test(text)) return false;
      return reads('item', text) !== ITEM.test(text);
    });
    expect(differ).toEqual([]);
  });

  it.each<[string, (character: string) => string, (character: string) => string]>([
    ['the first of a key', (one) => one, (key) => `${key}=1`],
    ['the second of a key', (one) => `a${one}a`, (key) => `${key}=1`],
    ['the first of a parameter', (one) => one, (key) => `x;${key}=1`],
    ['the second of a parameter', (one) => `a${one}a`, (key) => `x;${key}=1`],
  ])('as %s', (_where, name, make) => {
    const differ = characters.filter((one) => {
      const key = name(one);
      const text = make(key);
      // A separator would turn it into another valid field.
      if (/[ ,;=\t]/.test(one)) return false;
      return reads('dictionary', text.startsWith('x;') ? `m=${text}` : text) !== KEY.test(key);
    });
    expect(differ).toEqual([]);
  });

  it('in numbers: as many digits as the standard allows, and no more', () => {
    for (let whole = 0; whole <= 18; whole++) {
      for (let fraction = 0; fraction <= 5; fraction++) {
        for (const sign of ['', '-']) {
          const integer = `${sign}${'1'.repeat(whole)}`;
          const decimal = `${integer}.${'1'.repeat(fraction)}`;
          expect(reads('item', integer), integer).toBe(ITEM.test(integer));
          expect(reads('item', decimal), decimal).toBe(ITEM.test(decimal));
        }
      }
    }
  });

  it.each([
    ['%""', true],
    ['%"foo bar"', true],
    ['%"%e2%82%ac"', true],
    ['%"%E2%82%AC"', false],
    ['%"%e2%82"', false],
    ['%"%ff"', false],
    ['%"%c0%80"', false],
    ['%"%ed%a0%80"', false],
    ['%"%"', false],
    ['%"%e"', false],
    ['%"a"b"', false],
    ['%"', false],
    ['%foo', false],
    ['%"ä"', false],
    ['%"\t"', false],
    ['%"%0"', false],
    ['%"%0A"', false],
    [':aGVsbG8=:', true],
    [':aGVsbG8:', true],
    [':_-Ah:', false],
    [':a:', false],
    [':iZ8=', false],
    ['@0', true],
    ['@-12345', true],
    ['@1.0', false],
    ['@', false],
    ['@"1"', false],
  ])('%s: %s', (text, expected) => {
    expect(reads('item', text)).toBe(expected);
  });

  it('in display strings: written alike, however it was encoded, and the values around it stay', () => {
    const encode = (byte: number): string => `%${byte.toString(16).padStart(2, '0')}`;
    const mustEncode = (byte: number): boolean => byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x25;
    const piece = fc.tuple(fc.constantFrom(...'DCT@01ac%"\\\n\u{10}\xe9\u20ac '), fc.boolean());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom('D', 'DD1.0', '1.0', '@5'), (pieces, other) => {
        const write = (encodeAll: boolean): string =>
          pieces
            .flatMap(([character, encoded]) =>
              [...Buffer.from(character)].map((byte) =>
                mustEncode(byte) || (encodeAll && encoded) ? encode(byte) : String.fromCharCode(byte),
              ),
            )
            .join('');
        expect(reserialize(`${other}, %"${write(true)}", ${other}`, 'list')).toBe(
          `${other}, %"${write(false)}", ${other}`,
        );
      }),
    );
  });

  it('large fields are accepted', () => {
    const many = Array.from({ length: 1_024 }, (_, n) => `a${n}`);
    expect(reserialize(many.join(', '), 'list')).toBe(many.join(', '));
    expect(reserialize(many.map((name) => `${name}=1`).join(', '), 'dictionary')).toContain('a1023=1');
    expect(reserialize(`x;${many.join(';')}`, 'item')).toBe(`x;${many.join(';')}`);
    expect(reads('dictionary', `${'a'.repeat(64)}=1`)).toBe(true);
    expect(reads('item', `"${'='.repeat(1_024)}"`)).toBe(true);
    expect(reads('list', `(${many.slice(0, 256).join(' ')})`)).toBe(true);
  });
});
