import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let server: Server;
let baseUrl: string;
let send: (response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((_request, response) => send(response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await closeClients();
});

const PACK: Record<string, (bytes: Buffer) => Buffer> = {
  gzip: zlib.gzipSync,
  deflate: zlib.deflateSync,
  'deflate, bare': zlib.deflateRawSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync,
};
const codecs = Object.entries(PACK).map(([name, pack]) => ({ name, pack, encoding: name.replace(/,.*/, '') }));
/** Does not get smaller, so that the compressed body is long. */
const LONG = Buffer.from(randomBytes(200_000).toString('base64'));

describe('a long compressed body', () => {
  test.each(codecs)('is decoded completely: $name', async ({ encoding, pack }) => {
    send = (response) => response.writeHead(200, { 'content-encoding': encoding }).end(pack(LONG));
    expect(Buffer.compare((await noBackoffClient({ baseUrl }).get('/a')).bytes(), LONG)).toBe(0);
  });

  test('is decoded from two encodings', async () => {
    send = (response) =>
      response.writeHead(200, { 'content-encoding': 'br, gzip' }).end(zlib.gzipSync(zlib.brotliCompressSync(LONG)));
    expect(Buffer.compare((await noBackoffClient({ baseUrl }).get('/a')).bytes(), LONG)).toBe(0);
  });

  test.each(codecs)('that ends too early is an error: $name', async ({ encoding, pack }) => {
    send = (response) => response.writeHead(200, { 'content-encoding': encoding }).end(pack(LONG).subarray(0, -5));
    const error = await failure(noBackoffClient({ baseUrl }).get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_DECODE', reason: 'encoding' });
  });
});

describe('a compressed body followed by bytes that do not belong to it', () => {
  // gzip reads zeros as padding; anything else would have to be another member.
  const padded = codecs.filter(({ name }) => ['gzip', 'deflate', 'br'].includes(name));

  test.each(padded)('holds its connection no longer than the response: $name', async ({ encoding, pack }) => {
    const body = Buffer.concat([pack(LONG), Buffer.alloc(5_000_000)]);
    send = (response) => response.writeHead(200, { 'content-encoding': encoding }).end(body);
    const client = noBackoffClient({ baseUrl });
    for (let i = 0; i < 3; i++) expect((await client.get('/a')).bytes()).toHaveLength(LONG.length);
    await client.close();
    expect(client.stats().connections).toEqual({ connected: 0, free: 0, pending: 0, running: 0 });
  });

  test.each(padded)('releases its connection when the response never ends: $name', async ({ encoding, pack }) => {
    const closed = new Promise<void>((resolve) => server.on('connection', (socket) => socket.on('close', resolve)));
    const body = Buffer.concat([pack(LONG), Buffer.alloc(15)]);
    send = (response) => response.writeHead(200, { 'content-encoding': encoding }).write(body);
    const client = noBackoffClient({ baseUrl });
    expect((await client.get('/a')).bytes()).toHaveLength(LONG.length);
    await closed;
    await client.close();
  });
});

// HTTP.jl #1262, Envoy #21864: it is no use to find a bomb at the end of a body that never ends.
describe('AC39: a decompression bomb whose rest never arrives', () => {
  const huge = Buffer.alloc(30 * 1_048_576);
  // Noise before it, so that enough is on the wire to see what it is.
  const noise = randomBytes(20_000);

  test.each(codecs)('is rejected by its ratio with the chunk that exceeds it: $name', async ({ encoding, pack }) => {
    const bomb = pack(Buffer.concat([noise, huge]));
    send = (response) => response.writeHead(200, { 'content-encoding': encoding }).write(bomb);
    const error = await failure(noBackoffClient({ baseUrl }).get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_RESPONSE_TOO_LARGE', limit: 'maxRatio', allowed: 100 });
  });

  test('is rejected by its size', async () => {
    send = (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).write(zlib.gzipSync(LONG));
    const client = noBackoffClient({ baseUrl, responseLimits: { maxBytes: LONG.length - 1 } });
    expect(await failure(client.get('/a'))).toMatchObject({ limit: 'maxBytes', allowed: LONG.length - 1 });
  });

  test('is rejected when the first of two encodings expands', async () => {
    const inner = zlib.gzipSync(huge);
    const outer = zlib.gzipSync(Buffer.concat([zlib.gzipSync(noise), inner]));
    send = (response) => response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).write(outer);
    expect(await failure(noBackoffClient({ baseUrl }).get('/a'))).toMatchObject({ limit: 'maxRatio' });
  });

  test('is rejected by its ratio in fetch', async () => {
    send = (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync(huge));
    const response = await noBackoffClient({ baseUrl }).fetch('/a');
    expect(await failure(response.text())).toMatchObject({
      limit: 'maxRatio',
      allowed: 100,
      attempts: [{ status: 200 }],
    });
  });

  test('releases its connection', async () => {
    const closed = new Promise<void>((resolve) => server.on('connection', (socket) => socket.on('close', resolve)));
    send = (response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).write(zlib.gzipSync(Buffer.concat([noise, huge])));
    await failure(noBackoffClient({ baseUrl }).get('/a'));
    await closed;
  });
});
