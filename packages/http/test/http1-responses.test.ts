import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HttpClient, HttpClientOptions } from '../src/index.ts';
import { failure, noBackoffClient } from './client-helpers.ts';
import { closeAll, listening } from './loopback.ts';

afterEach(closeAll);

type Part = string | ((socket: Socket) => void);
const end = (socket: Socket): void => void socket.end();
const reset = (socket: Socket): void => void setImmediate(() => socket.resetAndDestroy());

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK';

/** Responds to `/next` normally, and to everything else with `parts`, as soon as the first bytes of a request arrive. */
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
  const client = noBackoffClient({
    baseUrl: `http://127.0.0.1:${await listening(server)}`,
    retry: false,
    circuitBreaker: false,
    ...options,
  });
  return { client, connections: () => connections };
}

const head = (...fields: string[]): string => ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n');

describe('a response over HTTP/1.1', () => {
  test.each<[string, Part[]]>([
    ['after a 100 Continue without Expect', ['HTTP/1.1 100 Continue\r\n\r\n', OK]],
    ['after several interim responses', ['HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\nx: y\r\n\r\n', OK]],
    ['with white space after the content-length', [`${head('content-length: 2   ')}OK`]],
  ])('%s is read, and its connection is reused', async (_what, parts) => {
    const { client, connections } = await served(parts);
    for (const method of ['GET', 'POST']) expect((await client.request(method, '/')).text()).toBe('OK');
    expect((await client.get('/next')).text()).toBe('OK');
    expect(connections()).toBe(1);
  });

  test.each(['103 Early Hints', '100 Continue'])(
    'after a %s with connection: close is read, and its connection is closed',
    async (interim) => {
      const { client, connections } = await served([`HTTP/1.1 ${interim}\r\nConnection: Close\r\n\r\n`, OK]);
      expect((await client.get('/')).text()).toBe('OK');
      expect((await client.post('/')).text()).toBe('OK');
      expect((await client.get('/next')).text()).toBe('OK');
      expect(connections()).toBe(3);
    },
  );

  test('ends with the first one after an interim response with connection: close, whatever follows', async () => {
    const { client } = await served(['HTTP/1.1 103 X\r\nconnection: close\r\n\r\n', OK, head('content-length: 0')]);
    expect((await client.get('/')).text()).toBe('OK');
    expect((await client.get('/next')).text()).toBe('OK');
  });

  test('has no white space after its header values', async () => {
    const { client } = await served([`${head('x-first: a b \t', 'x-none:   ', 'content-length: 2')}OK`]);
    const { headers } = await client.get('/');
    expect([headers.get('x-first'), headers.get('x-none')]).toEqual(['a b', '']);
  });

  test.each([101, 99, 0])(
    'with the status %s fails with that status in the message, without a retry',
    async (status) => {
      const { client } = await served([`HTTP/1.1 ${String(status).padStart(3, '0')} X\r\n\r\n`], { retry: {} });
      const error = await failure(client.get('/'));
      expect(error).toMatchObject({ errorCode: 'HPE_INVALID_STATUS', attempts: [{ attempt: 1 }] });
      expect((error as Error).cause).toMatchObject({
        message: `The server responded with status ${status}, which is not valid for this request`,
      });
      expect((await client.get('/next')).text()).toBe('OK');
    },
  );

  test.each<[string, string, Part[]]>([
    ['with chunks', 'HPE_INVALID_EOF_STATE', [head('connection: close', 'transfer-encoding: chunked'), '5\r\nAB', end]],
    ['without a length', 'ECONNRESET', [head('connection: close'), 'AB', reset]],
  ])('%s and connection: close that breaks off is a network error, and is retried', async (_what, errorCode, parts) => {
    const { client } = await served(parts, { retry: { maxAttempts: 2 } });
    expect(await failure(client.get('/'))).toMatchObject({
      errorCode,
      phase: 'response',
      attempts: [{ errorCode }, { errorCode }],
    });
  });

  test('without a length is complete when the connection is closed', async () => {
    const { client } = await served([head(), 'AB', end]);
    expect((await client.get('/')).text()).toBe('AB');
  });

  test.each<[string, Part[]]>([
    ['in the middle of the head of its first response', ['HTTP/1.1 200 OK\r\ncontent-le', end]],
    ['after an interim response', ['HTTP/1.1 103 Early Hints\r\n\r\n', end]],
  ])('a connection closed %s was not stale: it counts as a failure of the server', async (_what, parts) => {
    const { client } = await served(parts, { circuitBreaker: {} });
    expect(await failure(client.get('/'))).toMatchObject({ attempts: [{ errorCode: 'UND_ERR_SOCKET' }] });
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ failures: 1, neutral: 0 });
  });

  test.each<[string, string, Part[]]>([
    ['that is closed', 'content-length: 9', ['half', end]],
    ['that is reset', 'content-length: 9', ['half', reset]],
    ['that cannot be parsed', 'transfer-encoding: chunked', ['no size']],
  ])('whose status decides the outcome is returned with half a body %s', async (_what, field, body) => {
    const error = await served([`HTTP/1.1 422 X\r\n${field}\r\n\r\n`, ...body], { retry: {} });
    expect(await failure(error.client.get('/'))).toMatchObject({
      status: 422,
      response: { bodyTruncated: true },
      attempts: [{ status: 422 }],
    });
    const redirect = await served([`HTTP/1.1 302 X\r\nlocation: /next\r\n${field}\r\n\r\n`, ...body]);
    expect((await redirect.client.get('/')).text()).toBe('OK');
  });

  test('that comes before a large request body was read retires the connection: no request waits behind the unread rest', async () => {
    const unread = (socket: Socket): void => void socket.pause();
    const { client, connections } = await served([unread, OK]);
    expect((await client.put('/', { body: Buffer.alloc(20_000_000) })).text()).toBe('OK');
    expect((await client.get('/next')).text()).toBe('OK');
    expect(connections()).toBe(2);
    await vi.waitFor(() => expect(client.stats().connections).toMatchObject({ connected: 1, free: 1 }));
  });
});
