import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sse, type ServerSentEvent, type SseOptions } from './sse.ts';

async function* bytes(text: string | Uint8Array, sizes: readonly number[] = []): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text as string);
  let at = 0;
  for (const size of sizes) {
    yield Promise.resolve(all.subarray(at, at + size));
    at += size;
  }
  yield all.subarray(at);
}
async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of iterable) list.push(one);
  return list;
}
async function eventsOf(text: string, sizes: readonly number[] = [], options?: SseOptions): Promise<ServerSentEvent[]> {
  return all(sse(bytes(text, sizes), options));
}
const message = (data: string, rest: Partial<ServerSentEvent> = {}) => ({
  event: 'message',
  data,
  id: '',
  retryMs: undefined,
  ...rest,
});

test.each<[string, string, Partial<ServerSentEvent>[]]>([
  ['data alone', 'data: a\n\n', [message('a')]],
  ['a name', 'event: tick\ndata: a\n\n', [message('a', { event: 'tick' })]],
  ['several lines of data', 'data: a\ndata: b\ndata\n\n', [message('a\nb\n')]],
  ['one space after the colon is not data', 'data:a\n\ndata:  b\n\n', [message('a'), message(' b')]],
  ['CR, and CRLF', 'data: a\r\rdata: b\r\n\r\n', [message('a'), message('b')]],
  ['a comment', ': ping\n\ndata: a\n\n', [message('a')]],
  ['an event without data is none', 'event: x\n\ndata: a\n\n', [message('a')]],
  ['empty data is data', 'data\n\n', [message('')]],
  [
    'an id stays until the next',
    'id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n',
    [message('a', { id: '1' }), message('b', { id: '1' }), message('c')],
  ],
  [
    'an id with NUL is none',
    'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n',
    [message('a', { id: '1' }), message('b', { id: '1' })],
  ],
  [
    'retry, if a number',
    'retry: 250\ndata: a\n\nretry: x\ndata: b\n\n',
    [message('a', { retryMs: 250 }), message('b', { retryMs: 250 })],
  ],
  ['retry, within what a timer holds', 'retry: 99999999999\ndata: a\n\n', [message('a', { retryMs: 2_147_483_647 })]],
  ['an unknown field', 'foo: bar\ndata: a\n\n', [message('a')]],
  ['a byte order mark', '\ufeffdata: a\n\n', [message('a')]],
  ['an event that breaks off is dropped', 'data: a\n\ndata: b\n', [message('a')]],
  ['a line that breaks off is dropped', 'data: a\n\ndata: b', [message('a')]],
  ['nothing', '', []],
])('%s', async (_what, text, expected) => {
  expect(await eventsOf(text)).toEqual(expected);
});

test('drops the byte order mark of text that the source decoded', async () => {
  async function* text(): AsyncGenerator<string> {
    yield* ['', '\ufeff', 'data: \ufeffa\n\n'];
  }
  expect(await all(sse(text()))).toEqual([message('\ufeffa')]);
});

test('rejects a body that is no stream, without showing it', async () => {
  const reading = all(sse('data: canary\n\n' as never));
  await expect(reading).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'sse.body' });
  await expect(reading).rejects.not.toThrow(/canary/);
});

test('property: how the stream is split into chunks makes no difference', async () => {
  const text = 'id: 1\r\nevent: é\r\ndata: Zoë 🦊\r\ndata: b\r\n\r\n: c\rdata: x\r\rretry: 5\ndata: y\n\n';
  const whole = await eventsOf(text);
  expect(whole).toHaveLength(3);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 40 }), async (sizes) => {
      expect(await eventsOf(text, sizes)).toEqual(whole);
    }),
  );
});

test('a line or an event without end is rejected at maxEventBytes', async () => {
  const line = eventsOf(`data: ${'x'.repeat(2_000)}`, [500, 500, 500], { maxEventBytes: 1_000 });
  await expect(line).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'tooLong', line: 1 });
  const event = eventsOf('data: 0123456789\n'.repeat(200), [], { maxEventBytes: 1_000 });
  await expect(event).rejects.toMatchObject({ code: 'MAC_HTTP_STREAM', reason: 'tooLong', line: 92 });
  await expect(eventsOf(`data: ${'x'.repeat(900)}\n\n`, [], { maxEventBytes: 1_000 })).resolves.toHaveLength(1);
  await expect(eventsOf('data: 1\n\n', [], { maxBytes: 1_000 } as never)).rejects.toThrow(/maxBytes/);
});
