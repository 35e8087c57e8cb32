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

test('parses one value per line, with or without a final line break, and skips empty lines', async () => {
  expect(await read('{"a":1}\n\n[2]\r\n"x"\nnull')).toEqual([{ a: 1 }, [2], 'x', null]);
  expect(await read('1\n2\n')).toEqual([1, 2]);
  expect(await read('')).toEqual([]);
});

test('property: values survive, however the stream is split into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 9 }), async (values, size) => {
      const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
      expect(await read(text, size)).toEqual(JSON.parse(JSON.stringify(values)));
    }),
  );
});

test('a schema validates and types the values', async () => {
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

test('rejects a wrong schema at once', async () => {
  const options = { schema: () => true } as unknown as JsonLinesOptions;
  await expect(read('1\n', 100, options)).rejects.toMatchObject({ path: 'jsonLines.schema' });
});

test('reports the line that is not JSON, without its content', async () => {
  const other = read('{"a":1}\ncanary\n');
  await expect(other).rejects.toThrow(/^Line 2 of the stream is not JSON$/);
  await expect(other).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'json', line: 2 });
});

test('a line without end is rejected at maxLineBytes', async () => {
  const endless = read(`1\n${'x'.repeat(3_000)}`, 100, { maxLineBytes: 1_000 });
  await expect(endless).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'tooLong', line: 2 });
  expect(await read(`"${'é'.repeat(499)}"`, 7, { maxLineBytes: 1_000 })).toEqual(['é'.repeat(499)]);
  await expect(read(`"${'é'.repeat(500)}"`, 7, { maxLineBytes: 1_000 })).rejects.toThrow(/longer than 1000 bytes/);
  await expect(read('1\n', 100, { maxLineBytes: 0 })).rejects.toThrow(/maxLineBytes/);
  await expect(read('1\n', 100, { maxLineByte: 9 } as never)).rejects.toThrow(/maxLineByte/);
});

test('a line in a million chunks takes linear time', async () => {
  async function* trickle(): AsyncGenerator<string> {
    for (let i = 0; i < 1_000_000; i++) yield 'x';
    yield* ['"\n'];
  }
  await expect(all(jsonLines(trickle()))).rejects.toMatchObject({ reason: 'json', line: 1 });
});
