import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineParts, parseContentRange, remainderHeaders, sliceOf } from './ranges.ts';
import type { StoredResponse } from './stored-response.ts';

const version = fc.constantFrom('"1"', '"2"');
/** A representation, and ranges within it. */
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
  const part = parseContentRange(headers, body.length);
  if (part === undefined) throw new Error('a valid Content-Range was not parsed');
  const times = { requestedAtMs: 0, receivedAtMs: 0 };
  return { status: 206, headers, body, ...times, selecting: {}, authorization: '', cookie: '', outdated: false, part };
}

/** The bytes that a server would send for `bytes=first-last`: a naive reference implementation. */
function expectedBytes(whole: Uint8Array, range: string): number[] | undefined {
  const [from = '', to = ''] = range.slice('bytes='.length).split('-');
  const all = Array.from(whole, (byte, at) => ({ byte, at }));
  const chosen =
    from === ''
      ? all.slice(Math.max(0, all.length - Number(to)))
      : all.filter(({ at }) => at >= Number(from) && (to === '' || at <= Number(to)));
  return chosen.length === 0 || (to === '0' && from === '') ? undefined : chosen.map(({ byte }) => byte);
}

test('combined parts equal the representation, in whatever order they arrive', () => {
  fc.assert(
    fc.property(parts, ([whole, ranges]) => {
      let stored: StoredResponse | undefined;
      const received = new Set<number>();
      for (const range of ranges) {
        const newer = partial(whole, range, '"1"');
        const combined = stored && combineParts(stored, newer, whole.length);
        if (combined === undefined) received.clear();
        for (let at = range.first; at <= range.last; at++) received.add(at);
        stored = combined ?? newer;
        const { first, last } = stored.part ?? { first: 0, last: whole.length - 1 };
        expect([...stored.body]).toEqual([...whole.slice(first, last + 1)]);
        // Each byte was received with a part.
        for (let at = first; at <= last; at++) expect(received.has(at)).toBe(true);
        expect(stored.part === undefined).toBe(stored.status === 200);
        expect(stored.headers['content-range']).toBe(
          stored.part === undefined ? undefined : `bytes ${first}-${last}/${whole.length}`,
        );
      }
    }),
  );
});

test('combined parts are never longer than the limit', () => {
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 30 }), ([whole, ranges], maxBytes) => {
      const [a, b] = ranges.map((range) => partial(whole, range, '"1"'));
      const combined = a && b && combineParts(a, b, maxBytes);
      if (combined !== undefined) expect(combined.body.length).toBeLessThanOrEqual(maxBytes);
      const rest = a && remainderHeaders(a, maxBytes);
      if (rest !== undefined) expect(whole.length).toBeLessThanOrEqual(maxBytes);
    }),
  );
});

test('a slice equals what a server with the whole representation would send, or is undefined', () => {
  const rangeHeader = fc
    .tuple(fc.option(fc.nat(35)), fc.option(fc.nat(35)))
    .map(([a, b]) => `bytes=${a ?? ''}-${b ?? ''}`);
  fc.assert(
    fc.property(parts, rangeHeader, ([whole, [range]], text) => {
      fc.pre(text !== 'bytes=-' && range !== undefined);
      const expected = expectedBytes(whole, text);
      const full = { ...partial(whole, { first: 0, last: whole.length - 1 }, '"1"'), status: 200, headers: {} };
      const { part: _, ...complete } = full;
      const fromWhole = sliceOf(complete, text);
      expect(fromWhole && [...fromWhole.bytes]).toEqual(expected);
      const fromPart = sliceOf(partial(whole, range as { first: number; last: number }, '"1"'), text);
      if (fromPart !== undefined) expect([...fromPart.bytes]).toEqual(expected);
    }),
  );
});

test('never combines parts of different versions, and requests exactly the missing remainder', () => {
  fc.assert(
    fc.property(parts, version, version, ([whole, [one, other]], a, b) => {
      fc.pre(one !== undefined && other !== undefined);
      const stored = partial(whole, one as { first: number; last: number }, a);
      if (a !== b)
        expect(
          combineParts(stored, partial(whole, other as { first: number; last: number }, b), Infinity),
        ).toBeUndefined();
      const rest = remainderHeaders(stored, whole.length);
      const { part } = stored;
      if (rest === undefined) {
        expect(part?.first === 0 && part.last + 1 < whole.length).toBe(false);
        return;
      }
      expect(rest).toEqual({ range: `bytes=${(part?.last ?? 0) + 1}-`, 'if-range': a });
    }),
  );
});
