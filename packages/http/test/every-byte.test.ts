import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { constant } from '@macadam/resilience';
import { virtualClock } from '@macadam/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';

/** What the server does after the part of a response that it has written. */
type Ending = (socket: Socket) => void;

const BODY = JSON.stringify({ id: 'in_1' });
const gzipped = gzipSync(BODY);
const head = (...fields: string[]): string =>
  ['HTTP/1.1 200 OK', 'content-type: application/json', ...fields, '', ''].join('\r\n');
const responses: [string, Buffer][] = [
  ['with content-length', Buffer.from(head(`content-length: ${BODY.length}`) + BODY)],
  [
    'in chunks',
    Buffer.from(`${head('transfer-encoding: chunked')}5\r\n${BODY.slice(0, 5)}\r\n8\r\n${BODY.slice(5)}\r\n0\r\n\r\n`),
  ],
  [
    'compressed',
    Buffer.concat([Buffer.from(head('content-encoding: gzip', `content-length: ${gzipped.length}`)), gzipped]),
  ],
  [
    'after an interim response',
    Buffer.from(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${head(`content-length: ${BODY.length}`)}${BODY}`),
  ],
];

let port: number;
let sockets: Set<Socket>;
let close: () => void;
/** The part of a response that the next request gets, and what the server does after it. */
let bytes: Buffer;
let ending: Ending;
let written: Promise<void>;
let wrote: () => void;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(async () => {
  process.on('unhandledRejection', onUnhandled);
  sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', () => {
      const end = ending;
      // The callback of an empty write is not called.
      if (bytes.length === 0) setImmediate(() => (end(socket), wrote()));
      else socket.write(bytes, () => (end(socket), wrote()));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ({ port } = server.address() as AddressInfo);
  close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
});
afterEach(() => {
  close();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

function next(part: Buffer, then: Ending): void {
  bytes = part;
  ending = then;
  written = new Promise((resolve) => (wrote = resolve));
}

function clientFor(options: Partial<HttpClientOptions> = {}): HttpClient {
  return createHttpClient({ baseUrl: `http://127.0.0.1:${port}`, retry: false, circuitBreaker: false, ...options });
}

const outcome = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: { code?: string }) => error.code,
  );

async function read(client: HttpClient): Promise<unknown> {
  const { body } = await client.stream('GET', '/a', {});
  return body.toArray();
}

describe.each(responses)('a response %s', (_, response) => {
  test.each<[string, Ending]>([
    ['reset', (socket) => void socket.resetAndDestroy()],
    ['closed', (socket) => void socket.end()],
  ])('that is %s at any byte fails at once as a network error; complete, it is returned', async (how, end) => {
    await using client = clientFor();
    for (let size = 0; size < response.length; size++) {
      next(response.subarray(0, size), end);
      expect([size, await outcome(client.get('/a'))]).toEqual([size, 'MAC_HTTP_NETWORK']);
      next(response.subarray(0, size), end);
      expect([size, await outcome(read(client))]).toEqual([size, 'MAC_HTTP_NETWORK']);
    }
    // A reset may discard data written before it; an orderly close does not.
    next(response, how === 'closed' ? end : () => {});
    expect((await client.get('/a')).data).toEqual({ id: 'in_1' });
  });

  test('that stops at any byte ends by the attempt timeout', async () => {
    const clock = virtualClock();
    await using client = clientFor({ clock, timeoutMs: 1_000, attemptTimeoutMs: 100 });
    for (let size = 0; size < response.length; size++) {
      next(response.subarray(0, size), () => {});
      const call = outcome(client.get('/a'));
      await written;
      await clock.advance(100);
      expect([size, await call]).toEqual([size, 'MAC_TIMEOUT']);
    }
  });

  test('that is streamed and stops at any byte ends by the attempt timeout or the idle timeout', async () => {
    const clock = virtualClock();
    await using client = clientFor({ clock, attemptTimeoutMs: 100 });
    for (let size = 0; size < response.length; size++) {
      next(response.subarray(0, size), () => {});
      const call = outcome(read(client));
      await written;
      expect([size, await clock.runUntil(call)]).toEqual([size, 'MAC_TIMEOUT']);
    }
  });
});

test('a response that trickles in forever ends by the attempt timeout and the total timeout', async () => {
  const clock = virtualClock();
  const retry = { maxAttempts: 9, backoff: constant({ delayMs: 1 }) };
  await using client = clientFor({ clock, timeoutMs: 350, attemptTimeoutMs: 100, retry });
  let trickled: () => void = () => {};
  next(Buffer.from(head('content-length: 1000000')), (socket) => {
    const drip = (): void => {
      trickled();
      if (!socket.destroyed) socket.write(' ', () => setImmediate(drip));
    };
    drip();
  });
  let settled = false;
  const call = client
    .get('/a')
    .catch((failed: { code: string; attempts: { errorCode: string }[] }) => failed)
    .finally(() => (settled = true));
  while (!settled) {
    await Promise.race([call, new Promise<void>((resolve) => (trickled = resolve))]);
    await clock.advance(10);
  }
  expect(await call).toMatchObject({
    code: 'MAC_TIMEOUT',
    attempts: [1, 2, 3, 4].map(() => ({ errorCode: 'MAC_TIMEOUT' })),
  });
  expect(clock.monotonic()).toBeLessThanOrEqual(360);
});
