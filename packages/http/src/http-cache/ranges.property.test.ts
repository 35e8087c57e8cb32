import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combined, partOf, remainderHeaders, sliceOf } from './ranges.ts';
import type { StoredResponse } from './stored-response.ts';

const version = fc.constantFrom('"1"', '"2"');
/** A representation, and a part of it. */
const parts = fc
  .uint8Array({ minLength: 1, maxLength: 30 })
  .chain((whole) => fc.tuple(fc.constant(whole), fc.array(within(whole.length), { minLength: 1, maxLength: 8 })));

function within(size: number): fc.Arbitrary<{ first: number; last: number }> {
  const at = fc.integer({ min: 0, max: size - 1 });
  return fc.tuple(at, at).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
}

function partial(whole: Uint8Array, { first, last }: { first: number; last: number }, etag: string): StoredResponse {
  const body = whole.slice(first, last + 1);
  const headers = { etag, 'content-range': `bytes ${first}-${last}/${whole.length}` };
  const part = partOf(headers, body.length);
  if (part === undefined) throw new Error('a part that says what it is was not understood');
  const times = { requestedAtMs: 0, receivedAtMs: 0 };
  return { status: 206, headers, body, ...times, selecting: {}, authorization: '', cookie: '', outdated: false, part };
}

/** What a server would answer to `bytes=first-last`, said as plainly as it can be. */
function asked(whole: Uint8Array, range: string): number[] | undefined {
  const [from = '', to = ''] = range.slice('bytes='.length).split('-');
  const all = Array.from(whole, (byte, at) => ({ byte, at }));
  const chosen =
    from === ''
      ? all.slice(Math.max(0, all.length - Number(to)))
      : all.filter(({ at }) => at >= Number(from) && (to === '' || at <= Number(to)));
  return chosen.length === 0 || (to === '0' && from === '') ? undefined : chosen.map(({ byte }) => byte);
}

test('what is put together of parts is what lies there, however they come', () => {
  fc.assert(
    fc.property(parts, ([whole, ranges]) => {
      let stored: StoredResponse | undefined;
      const seen = new Set<number>();
      for (const range of ranges) {
        const newer = partial(whole, range, '"1"');
        const both = stored && combined(stored, newer);
        if (both === undefined) seen.clear();
        for (let at = range.first; at <= range.last; at++) seen.add(at);
        stored = both ?? newer;
        const { first, last } = stored.part ?? { first: 0, last: whole.length - 1 };
        expect([...stored.body]).toEqual([...whole.slice(first, last + 1)]);
        // Nothing is made up: each byte came with a part.
        for (let at = first; at <= last; at++) expect(seen.has(at)).toBe(true);
        expect(stored.part === undefined).toBe(stored.status === 200);
        expect(stored.headers['content-range']).toBe(
          stored.part === undefined ? undefined : `bytes ${first}-${last}/${whole.length}`,
        );
      }
    }),
  );
});

test('what is cut out is what a server with the whole would have given, or nothing', () => {
  const range = fc.tuple(fc.option(fc.nat(35)), fc.option(fc.nat(35))).map(([a, b]) => `bytes=${a ?? ''}-${b ?? ''}`);
  fc.assert(
    fc.property(parts, range, ([whole, [held]], text) => {
      fc.pre(text !== 'bytes=-' && held !== undefined);
      const expected = asked(whole, text);
      const full = { ...partial(whole, { first: 0, last: whole.length - 1 }, '"1"'), status: 200, headers: {} };
      const { part: _, ...complete } = full;
      const fromWhole = sliceOf(complete, text);
      // A range that ends before it begins is none; the plain saying above makes nothing of it either.
      expect(fromWhole && [...fromWhole.bytes]).toEqual(expected);
      const fromPart = sliceOf(partial(whole, held as { first: number; last: number }, '"1"'), text);
      if (fromPart !== undefined) expect([...fromPart.bytes]).toEqual(expected);
    }),
  );
});

test('versions are never mixed, and what is missing is what is asked for', () => {
  fc.assert(
    fc.property(parts, version, version, ([whole, [one, other]], a, b) => {
      fc.pre(one !== undefined && other !== undefined);
      const stored = partial(whole, one as { first: number; last: number }, a);
      if (a !== b)
        expect(combined(stored, partial(whole, other as { first: number; last: number }, b))).toBeUndefined();
      const rest = remainderHeaders(stored);
      const { part } = stored;
      if (rest === undefined) {
        expect(part?.first === 0 && part.last + 1 < whole.length).toBe(false);
        return;
      }
      expect(rest).toEqual({ range: `bytes=${(part?.last ?? 0) + 1}-`, 'if-range': a });
    }),
  );
});
