import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HttpClient, HttpClientOptions } from '../src/index.ts';
import { failure } from './impatient-clients.ts';
import { clientFor, closeAll, listening } from './loopback.ts';

afterEach(closeAll);

type Part = string | ((socket: Socket) => void);
const end = (socket: Socket): void => void socket.end();
const reset = (socket: Socket): void => void setImmediate(() => socket.resetAndDestroy());

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK';

/** Answers `/next` as servers do, and everything else with what it is given, as soon as anything of a request comes. */
async function served(
  parts: readonly Part[],
  options: Partial<HttpClientOptions> = {},
): Promise<{ client: HttpClient; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes(' /next ')) return void socket.write(OK);
      if (!bytes.includes('HTTP/1.1')) return;
      for (const part of parts) {
        if (typeof part === 'string') socket.write(part, 'latin1');
        else part(socket);
      }
    });
  });
  const client = clientFor({
    baseUrl: `http://127.0.0.1:${await listening(server)}`,
    retry: false,
    circuitBreaker: false,
    ...options,
  });
  return { client, connections: () => connections };
}

const answer = (...fields: string[]): string => ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n');

describe('an answer of HTTP/1.1', () => {
  test.each<[string, Part[]]>([
    ['after a 100 that nobody asked for', ['HTTP/1.1 100 Continue\r\n\r\n', OK]],
    ['after several interim ones', ['HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\nx: y\r\n\r\n', OK]],
    ['whose length is followed by white space', [`${answer('content-length: 2   ')}OK`]],
  ])('%s is read, and its connection used again', async (_what, parts) => {
    const { client, connections } = await served(parts);
    for (const method of ['GET', 'POST']) expect((await client.request(method, '/')).text()).toBe('OK');
    expect((await client.get('/next')).text()).toBe('OK');
    expect(connections()).toBe(1);
  });

  test('has no white space after its values', async () => {
    const { client } = await served([`${answer('x-first: a b \t', 'x-none:   ', 'content-length: 2')}OK`]);
    const { headers } = await client.get('/');
    expect([headers.get('x-first'), headers.get('x-none')]).toEqual(['a b', '']);
  });

  test.each([101, 99, 0])('with the status %s says so, and is not asked for again', async (status) => {
    const { client } = await served([`HTTP/1.1 ${String(status).padStart(3, '0')} X\r\n\r\n`], { retry: {} });
    const error = await failure(client.get('/'));
    expect(error).toMatchObject({ errorCode: 'HPE_INVALID_STATUS', attempts: [{ attempt: 1 }] });
    expect((error as Error).cause).toMatchObject({ message: `The server answered ${status}, which nobody asked for` });
    expect((await client.get('/next')).text()).toBe('OK');
  });

  test.each<[string, string, Part[]]>([
    ['in pieces', 'HPE_INVALID_EOF_STATE', [answer('connection: close', 'transfer-encoding: chunked'), '5\r\nAB', end]],
    ['up to its end', 'ECONNRESET', [answer('connection: close'), 'AB', reset]],
  ])('%s on its last connection that breaks off is no answer, and asked for again', async (_what, errorCode, parts) => {
    const { client } = await served(parts, { retry: { maxAttempts: 2 } });
    expect(await failure(client.get('/'))).toMatchObject({
      errorCode,
      phase: 'response',
      attempts: [{ errorCode }, { errorCode }],
    });
  });

  test('that goes up to the end of its connection is whole when that is closed', async () => {
    const { client } = await served([answer(), 'AB', end]);
    expect((await client.get('/')).text()).toBe('AB');
  });

  test.each<[string, Part[]]>([
    ['in the middle of the head of its first answer', ['HTTP/1.1 200 OK\r\ncontent-le', end]],
    ['after an interim answer', ['HTTP/1.1 103 Early Hints\r\n\r\n', end]],
  ])('a connection that is closed %s had not gone stale: that is a failure of the server', async (_what, parts) => {
    const { client } = await served(parts, { circuitBreaker: {} });
    expect(await failure(client.get('/'))).toMatchObject({ attempts: [{ errorCode: 'UND_ERR_SOCKET' }] });
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ failures: 1, neutral: 0 });
  });

  test.each<[string, string, Part[]]>([
    ['that is closed', 'content-length: 9', ['half', end]],
    ['that is reset', 'content-length: 9', ['half', reset]],
    ['that cannot be read', 'transfer-encoding: chunked', ['no size']],
  ])('with a status that says enough is one, with half of a body %s', async (_what, field, body) => {
    const error = await served([`HTTP/1.1 422 X\r\n${field}\r\n\r\n`, ...body], { retry: {} });
    expect(await failure(error.client.get('/'))).toMatchObject({
      status: 422,
      response: { bodyTruncated: true },
      attempts: [{ status: 422 }],
    });
    const redirect = await served([`HTTP/1.1 302 X\r\nlocation: /next\r\n${field}\r\n\r\n`, ...body]);
    expect((await redirect.client.get('/')).text()).toBe('OK');
  });

  test('that comes before a large body was read leaves its connection: nothing waits behind the rest of that', async () => {
    const unread = (socket: Socket): void => void socket.pause();
    const { client, connections } = await served([unread, OK]);
    expect((await client.put('/', { body: Buffer.alloc(20_000_000) })).text()).toBe('OK');
    expect((await client.get('/next')).text()).toBe('OK');
    expect(connections()).toBe(2);
    await vi.waitFor(() => expect(client.stats().connections).toMatchObject({ connected: 1, free: 1 }));
  });
});
