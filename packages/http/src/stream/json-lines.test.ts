import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { jsonLines, type JsonLinesOptions } from './json-lines.ts';

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += size) yield Promise.resolve(all.subarray(at, at + size));
}
async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of iterable) list.push(one);
  return list;
}
const read = (text: string, size = 1_000, options?: JsonLinesOptions) => all(jsonLines(pieces(text, size), options));

test('a value a line, the last one with or without its end; empty lines are none', async () => {
  expect(await read('{"a":1}\n\n[2]\r\n"x"\nnull')).toEqual([{ a: 1 }, [2], 'x', null]);
  expect(await read('1\n2\n')).toEqual([1, 2]);
  expect(await read('')).toEqual([]);
});

test('property: what goes in comes out, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 9 }), async (values, size) => {
      const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
      expect(await read(text, size)).toEqual(JSON.parse(JSON.stringify(values)));
    }),
  );
});

test('a schema checks and types', async () => {
  const schema = z.object({ id: z.coerce.number() });
  expect(await read('{"id":"1"}\n{"id":2}\n', 5, { schema })).toEqual([{ id: 1 }, { id: 2 }]);
  await expect(read('{"id":1}\n{"id":"canary"}\n', 5, { schema })).rejects.toThrow(/^Line 2 .* schema at id$/);
});

test('what is no JSON is named by its line, and not shown', async () => {
  await expect(read('{"a":1}\ncanary\n')).rejects.toThrow(/^Line 2 of the stream is not JSON$/);
});

test('a line that does not end is not collected for ever', async () => {
  await expect(read('x'.repeat(3_000), 100, { maxLineBytes: 1_000 })).rejects.toThrow(RangeError);
  await expect(read('1\n', 100, { maxLineBytes: 0 })).rejects.toThrow(/maxLineBytes/);
  await expect(read('1\n', 100, { maxLineByte: 9 } as never)).rejects.toThrow(/maxLineByte/);
});
