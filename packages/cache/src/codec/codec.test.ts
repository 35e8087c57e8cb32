import { isDeepStrictEqual } from 'node:util';
import { Packr } from 'msgpackr';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Codec } from './codec.ts';
import { devalueCodec } from './devalue-codec.ts';
import { messagePackCodec } from './message-pack-codec.ts';

const codecs: Record<string, () => Codec> = {
  devalue: devalueCodec,
  msgpackr: () => messagePackCodec(new Packr({ structuredClone: true })),
};

for (const [name, make] of Object.entries(codecs)) {
  describe(name, () => {
    const codec = make();
    const roundTrip = (value: unknown): unknown => codec.decode(codec.encode(value));

    for (const [what, value] of [
      ['null', null],
      ['undefined', undefined],
      ['the empty string', ''],
      ['NaN', Number.NaN],
      ['Infinity', -Infinity],
      ['a large bigint', 2n ** 63n - 1n],
      ['a Date', new Date(1_700_000_000_123)],
      ['a Map', new Map<unknown, unknown>([['a', 1], [{ b: 2 }, new Set([3])]])], // prettier-ignore
      ['a Set', new Set(['a', 1, null])],
      ['bytes', new Uint8Array([0, 1, 255])],
      ['floats', new Float64Array([0.5, -1])],
      ['undefined fields', { a: undefined, b: [undefined, 1] }],
      ['text of every kind', 'ä€😀\u0000\u2028</script>'],
      ['a field called __proto__ in a Map', new Map([['__proto__', 1]])],
    ] as const) {
      it(`bentocache #42, keyv #126: ${what} is decoded as it was encoded`, () =>
        expect(roundTrip(value)).toStrictEqual(value));
    }

    it('restores cycles and shared references', () => {
      const shared = { n: 1 };
      const cycle: Record<string, unknown> = { a: shared, b: shared };
      cycle['self'] = cycle;
      const back = roundTrip(cycle) as Record<string, unknown>;
      expect(back['self']).toBe(back);
      expect(back['a']).toBe(back['b']);
    });

    it('rejects functions, symbols and class instances when encoding', () => {
      class User {
        name = 'Ann';
      }
      for (const value of [() => 1, Symbol('s'), new User(), { deep: [new Map([['u', new User()]])] }, new WeakMap()]) {
        expect(() => codec.encode(value)).toThrowError(expect.objectContaining({ code: 'MAC_CACHE_VALUE' }));
      }
    });

    it('encoded bytes are not changed by the next encode', () => {
      const first = codec.encode({ text: 'first' });
      codec.encode({ text: 'other' });
      expect(codec.decode(first)).toEqual({ text: 'first' });
    });

    it('restores every value that it accepts', () => {
      const anything = fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
        withUnicodeString: true,
      });
      let taken = 0;
      const law = fc.property(anything, (value) => {
        let bytes: Uint8Array;
        try {
          bytes = codec.encode(value);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MAC_CACHE_VALUE' });
          return;
        }
        taken++;
        expect(isDeepStrictEqual(withoutSignOfZero(codec.decode(bytes)), withoutSignOfZero(value))).toBe(true);
      });
      fc.assert(law, { numRuns: 300 });
      expect(taken).toBeGreaterThan(100);
    });

    it('both codecs accept the same values', () => {
      for (const value of [
        Object.assign([1], { index: 0 }),
        Object.assign([1, , 3], { index: 0 }), // prettier-ignore
        ...['', '-1', '01', '1.5', '4294967295'].map((name) => Object.assign([1, 2], { [name]: 0 })),
        Object.assign([1], { [Symbol('s')]: 1 }),
        Object.assign(new Map(), { [Symbol('s')]: 1 }),
        'x'.match(/x/),
        JSON.parse('{"__proto__":{"admin":true}}'),
        { [Symbol('s')]: 1 },
        new Error('down'),
        new URL('http://a.test'),
        Object(1),
        { toJSON: () => 1 },
        [new SharedArrayBuffer(1)],
        new (class Pairs extends Map {})(),
        new (class Day extends Date {})(0),
        class List extends Array {}.of(1, 2),
        new (class Bytes extends Uint8Array {})(1),
        Object.assign(new Map(), { extra: 1 }),
        Object.assign(new Date(0), { extra: 1 }),
        Object.assign(/a/g, { lastIndex: 3 }),
        Object.defineProperty({}, 'toJSON', { value: () => 'another' }),
      ]) {
        expect(() => codec.encode(value)).toThrowError(expect.objectContaining({ code: 'MAC_CACHE_VALUE' }));
      }
      for (const value of [
        Array.from({ length: 200_000 }, (_, i) => i),
        { constructor: 1, hasOwnProperty: 2, length: 3 },
      ]) {
        expect(roundTrip(value)).toStrictEqual(value);
      }
    });

    it('restores a view of any type, or rejects it', () => {
      const names = Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z]\w*\d(Clamped)?Array$/.test(name));
      expect(names.length).toBeGreaterThanOrEqual(11);
      const bytes = new Uint8Array(32).fill(7).buffer;
      for (const name of [...names, 'DataView']) {
        const type = (globalThis as unknown as Record<string, new (...of: unknown[]) => unknown>)[name]!;
        for (const view of [new type(bytes.slice(0)), new type(bytes, 8, 1)]) {
          let encoded: Uint8Array;
          try {
            encoded = codec.encode([view]);
          } catch (error) {
            expect([name, (error as { code?: string }).code]).toEqual(['Float16Array', 'MAC_CACHE_VALUE']);
            continue;
          }
          expect(isDeepStrictEqual(codec.decode(encoded), [view]), name).toBe(true);
        }
      }
    });

    it('decodes hostile bytes to an error or a value, without prototype pollution', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          try {
            codec.decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
          expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
        }),
      );
    });
  });
}

describe('devalue', () => {
  const codec = devalueCodec();

  it('stores values that JSON can represent as plain JSON', () => {
    const value = { name: 'Ann', roles: ['reader'], none: null, n: 1.5, text: 'ä\u0000"\\' };
    expect(Buffer.from(codec.encode(value)).toString()).toBe(JSON.stringify(value));
  });

  it('restores buffers, sparse arrays, objects without a prototype and any text', () => {
    const bare: unknown = Object.assign(Object.create(null), { a: 1 });
    for (const value of [
      Buffer.from('abc'),
      [Buffer.alloc(0)],
      [1, , 3],
      new Array(3),
      bare,
      'a\ud800',
      { '\udfff': 1 },
    ]) {
      // prettier-ignore
      expect(isDeepStrictEqual(codec.decode(codec.encode(value)), value)).toBe(true);
    }
  });

  it('stores only the bytes of a partial view, not its whole buffer', () => {
    const pool = Buffer.from('secrets of others, and 12345678');
    const at = pool.length - 8;
    const { buffer, byteOffset } = Uint8Array.from(pool);
    for (const part of [
      new Uint8Array(buffer, byteOffset + at, 8),
      new BigInt64Array(buffer.slice(at - 8), 8, 1),
      new DataView(buffer, byteOffset + at, 3),
    ]) {
      const bytes = codec.encode({ part });
      expect(isDeepStrictEqual(codec.decode(bytes), { part })).toBe(true);
      expect(bytes.length).toBeLessThan(80);
    }
    for (const kind of ['Buffer', '__proto__', 'Object', 5]) {
      const text = JSON.stringify([['Part', 1], [2, 3], kind, 'AAAA']);
      expect(() => codec.decode(Buffer.from(`~${text}`))).toThrow();
    }
  });

  it('rejects a __proto__ field, however it is escaped', () => {
    for (const text of [
      '[{"__proto__":1},{"polluted":2},true]',
      '~[{"__proto__":1},{"polluted":2},true]',
      '{"a":{"__proto__":{"admin":true}}}',
      '{"\\u005f_proto__":{"admin":true}}',
      '{"__\\u0070roto__":{"admin":true}}',
    ]) {
      expect(() => codec.decode(Buffer.from(text))).toThrow();
    }
    const value = ['__proto__', '"__proto__":', '\u0001'];
    expect(codec.decode(codec.encode(value))).toEqual(value);
  });
});

describe('msgpackr', () => {
  it('rejects values that MessagePack would change', () => {
    const codec = messagePackCodec(new Packr({ structuredClone: true }));
    const bare: unknown = Object.create(null);
    for (const value of [Buffer.from('abc'), [1, , 3], bare, 'a\ud800', { '\udfff': 1 }, new Map([['\ud800', 1]])]) {
      expect(() => codec.encode(value)).toThrowError(expect.objectContaining({ code: 'MAC_CACHE_VALUE' }));
    }
  });
});

it('devalue restores -0; MessagePack turns it into 0', () => {
  const back = (codec: Codec): unknown => codec.decode(codec.encode(-0));
  expect(back(devalueCodec())).toBe(-0);
  expect(back(messagePackCodec(new Packr({ structuredClone: true })))).toBe(0);
});

/** Returns a copy with every -0 replaced by 0. */
function withoutSignOfZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(withoutSignOfZero);
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [withoutSignOfZero(key), withoutSignOfZero(item)]));
  if (value instanceof Set) return new Set([...value].map(withoutSignOfZero));
  if (ArrayBuffer.isView(value)) return value.constructor.name + [...(value as Uint8Array)].join();
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutSignOfZero(item)]));
}
