import { once } from 'node:events';
import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { ca, pem } from './http2-frames.ts';
import { closeClients, failure, impatientClient } from './impatient-clients.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A server that reads no body of a request and answers only what has none. */
async function idleReader(): Promise<{ url: string; upload: Promise<ServerHttp2Stream> }> {
  const server = createSecureServer({ key: pem('server.key'), cert: pem('server') });
  const upload = new Promise<ServerHttp2Stream>((resolve) => {
    server.on('stream', (stream: ServerHttp2Stream, _headers: unknown, flags: number) => {
      stream.on('error', () => {});
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) return resolve(stream);
      stream.respond();
      stream.end('whole');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => server.close());
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, upload };
}

describe('an upload over HTTP/2 that is given up while the server does not read it', () => {
  const mebibyte = Buffer.alloc(1_048_576);
  const bodies = {
    'a buffer': () => mebibyte,
    'a function': () => () => Readable.from([mebibyte, mebibyte]),
    'a stream': () => Readable.from([mebibyte, mebibyte]),
  };

  // Destroyed without a reset, it makes Node frame nothing for ever as soon as the server reads (memory and all).
  test.each(Object.entries(bodies))('%s: it is reset at once, and its connection serves on', async (_what, body) => {
    const { url, upload } = await idleReader();
    const client = impatientClient({ baseUrl: url, tls: { ca } });
    const abort = new AbortController();
    const outcome = failure(client.post('/a', { body: body(), signal: abort.signal }));
    const stream = await upload;
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
