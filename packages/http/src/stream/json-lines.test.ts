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
  const describeMismatch = read('{"id":1}\n\n{"id":"canary"}\n', 5, { schema });
  await expect(describeMismatch).rejects.toThrow(/^Line 3 .* schema at id$/);
  await expect(describeMismatch).rejects.toMatchObject({
    code: 'MAC_HTTP_STREAM',
    reason: 'schema',
    line: 3,
    paths: ['id'],
  });
});

test('a schema that is none is refused at once', async () => {
  const options = { schema: () => true } as unknown as JsonLinesOptions;
  await expect(read('1\n', 100, options)).rejects.toMatchObject({ path: 'jsonLines.schema' });
});

test('what is no JSON is named by its line, and not shown', async () => {
  const other = read('{"a":1}\ncanary\n');
  await expect(other).rejects.toThrow(/^Line 2 of the stream is not JSON$/);
  await expect(other).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'json', line: 2 });
});

test('a line that does not end is not collected for ever', async () => {
  const endless = read(`1\n${'x'.repeat(3_000)}`, 100, { maxLineBytes: 1_000 });
  await expect(endless).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'tooLong', line: 2 });
  expect(await read(`"${'é'.repeat(499)}"`, 7, { maxLineBytes: 1_000 })).toEqual(['é'.repeat(499)]);
  await expect(read(`"${'é'.repeat(500)}"`, 7, { maxLineBytes: 1_000 })).rejects.toThrow(/longer than 1000 bytes/);
  await expect(read('1\n', 100, { maxLineBytes: 0 })).rejects.toThrow(/maxLineBytes/);
  await expect(read('1\n', 100, { maxLineByte: 9 } as never)).rejects.toThrow(/maxLineByte/);
});

test('a line that comes in a million pieces is measured once', async () => {
  async function* trickle(): AsyncGenerator<string> {
    for (let i = 0; i < 1_000_000; i++) yield 'x';
    yield* ['"\n'];
  }
  await expect(all(jsonLines(trickle()))).rejects.toMatchObject({ reason: 'json', line: 1 });
});
