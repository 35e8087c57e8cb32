import { on, once } from 'node:events';
import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { ca, http2Frames, pem, respond } from './http2-frames.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A server that reads no request body, and responds only to requests without one. */
async function idleReader(): Promise<{ url: string; uploads: AsyncIterator<[ServerHttp2Stream]> }> {
  const server = createSecureServer({ key: pem('server.key'), cert: pem('server') });
  server.on('stream', (stream: ServerHttp2Stream, _headers: unknown, flags: number) => {
    stream.on('error', () => {});
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) return server.emit('upload', stream);
    stream.respond();
    return stream.end('whole');
  });
  const uploads = on(server, 'upload') as AsyncIterableIterator<[ServerHttp2Stream]>;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => server.close());
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, uploads };
}

async function nextOf<T>(iterator: AsyncIterator<[T]>): Promise<T> {
  return ((await iterator.next()).value as [T])[0];
}

describe('an HTTP/2 upload that is cancelled while the server does not read it', () => {
  const mebibyte = Buffer.alloc(1_048_576);
  const bodies = {
    'a buffer': () => mebibyte,
    'a function': () => () => Readable.from([mebibyte, mebibyte]),
    'a stream': () => Readable.from([mebibyte, mebibyte]),
  };

  // A stream destroyed without a reset makes Node build empty frames in an endless loop as soon as the server reads.
  test.each(Object.entries(bodies))('%s: is reset at once, and its connection stays in use', async (_what, body) => {
    const { url, uploads } = await idleReader();
    const client = noBackoffClient({ baseUrl: url, tls: { ca } });
    const abort = new AbortController();
    const outcome = failure(client.post('/a', { body: body(), signal: abort.signal }));
    const stream = await nextOf(uploads);
    const reset = once(stream, 'aborted');
    abort.abort();
    expect(await outcome).toBe(abort.signal.reason);
    await reset;
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    stream.resume();
    expect((await client.get('/b')).text()).toBe('whole');
    expect(client.stats().connections).toMatchObject({ connected: 1 });
  });
});

describe('HTTP/2 uploads that the server does not read', () => {
  const mebibyte = Buffer.alloc(1_048_576);
  const bodies = {
    'a buffer': () => mebibyte,
    'a blob': () => new Blob([mebibyte]),
    'a function': () => () => Readable.from([mebibyte, mebibyte]),
    'a stream': () => Readable.from([mebibyte, mebibyte]),
  };
  const rows = Object.entries(bodies).flatMap(([what, body]) =>
    [undefined, constants.NGHTTP2_NO_ERROR].map((code) => ({ what, body, code })),
  );

  // With ten concurrent streams, streams that stayed open would soon block the connection.
  test.each(rows)(
    '$what, responded to at once and reset with $code: the connection stays in use',
    async ({ body, code }) => {
      const server = await http2Frames({ streams: 10, windowBytes: 65_535, respondsToHeaders: true }, (request) => {
        respond(request);
        if (code !== undefined) request.reset(code);
      });
      cleanUp.push(server.close);
      const client = noBackoffClient({ baseUrl: server.url, tls: { ca }, retry: false });
      for (let i = 0; i < 25; i++) expect((await client.post('/a', { body: body() })).text()).toBe('whole');
      expect(client.stats().connections).toMatchObject({ connected: 1 });
    },
  );

  test('a hundred that are cancelled: no later call is refused', async () => {
    const { url, uploads } = await idleReader();
    const client = noBackoffClient({ baseUrl: url, tls: { ca }, retry: false });
    for (let i = 0; i < 100; i++) {
      const abort = new AbortController();
      const outcome = failure(client.post('/a', { body: mebibyte, signal: abort.signal }));
      await nextOf(uploads);
      abort.abort();
      expect(await outcome).toBe(abort.signal.reason);
      expect((await client.get('/b')).text()).toBe('whole');
    }
  });

  test('a large one leaves capacity for other calls on its connection', async () => {
    const { url, uploads } = await idleReader();
    const client = noBackoffClient({ baseUrl: url, tls: { ca }, retry: false });
    const abort = new AbortController();
    const outcome = failure(client.post('/a', { body: Buffer.alloc(12 * 1_048_576), signal: abort.signal }));
    await nextOf(uploads);
    expect((await client.get('/b')).text()).toBe('whole');
    expect(client.stats().connections).toMatchObject({ connected: 1 });
    abort.abort();
    await outcome;
  });
});

test.each([1, 65_536, 65_537, 131_072, 1_048_577])('an HTTP/2 upload of %i bytes arrives unchanged', async (size) => {
  const server = createSecureServer({ key: pem('server.key'), cert: pem('server') });
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond();
    stream.pipe(stream);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => server.close());
  const baseUrl = `https://localhost:${(server.address() as AddressInfo).port}`;
  const body = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
  const response = await noBackoffClient({ baseUrl, tls: { ca } }).post('/a', { body });
  expect(Buffer.compare(response.bytes(), body)).toBe(0);
});
