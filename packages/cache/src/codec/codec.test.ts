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
      it(`bentocache #42, keyv #126: ${what} comes back`, () => expect(roundTrip(value)).toStrictEqual(value));
    }

    it('cycles and shared references come back', () => {
      const shared = { n: 1 };
      const cycle: Record<string, unknown> = { a: shared, b: shared };
      cycle['self'] = cycle;
      const back = roundTrip(cycle) as Record<string, unknown>;
      expect(back['self']).toBe(back);
      expect(back['a']).toBe(back['b']);
    });

    it('functions, symbols and instances are refused when they go in', () => {
      class User {
        name = 'Ann';
      }
      for (const value of [() => 1, Symbol('s'), new User(), { deep: [new Map([['u', new User()]])] }, new WeakMap()]) {
        expect(() => codec.encode(value)).toThrowError(expect.objectContaining({ code: 'MAC_CACHE_VALUE' }));
      }
    });

    it('what was encoded does not change with what is encoded next', () => {
      const first = codec.encode({ text: 'first' });
      codec.encode({ text: 'other' });
      expect(codec.decode(first)).toEqual({ text: 'first' });
    });

    it('any JSON comes back', () => {
      const json = fc
        .jsonValue({ noUnicodeString: true })
        .filter((value) => !JSON.stringify(value).includes('__proto__'))
        // What JSON itself would bring back: it knows no -0, and neither does msgpackr.
        .map((value): unknown => JSON.parse(JSON.stringify(value)));
      fc.assert(
        fc.property(json, (value) => {
          expect(roundTrip(value)).toEqual(value);
        }),
      );
    });

    it('hostile bytes are an error or a value, and never touch a prototype', () => {
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
      const hostile = Buffer.from('[{"__proto__":1},{"polluted":2},true]');
      expect(() => devalueCodec().decode(hostile)).toThrow();
    });
  });
}

it('-0 comes back from devalue; MessagePack knows whole numbers without a sign of zero', () => {
  const back = (codec: Codec): unknown => codec.decode(codec.encode(-0));
  expect(back(devalueCodec())).toBe(-0);
  expect(back(messagePackCodec(new Packr({ structuredClone: true })))).toBe(0);
});
