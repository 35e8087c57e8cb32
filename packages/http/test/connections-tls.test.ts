import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createSecureServer, type ServerHttp2Stream, type Settings } from 'node:http2';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { systemClock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HttpClient, HttpClientOptions, TlsOptions } from '../src/index.ts';
import { ConnectionPool } from '../src/transport/connection-pool.ts';
import { connectionSettings } from '../src/transport/connection-options.ts';
import { createConnector } from '../src/transport/connector.ts';
import { failure, noBackoffClient } from './client-helpers.ts';
import { ca, cleanUp, closeAll, listening, pem, nextTurn, serverTls } from './loopback.ts';

afterEach(closeAll);

/** Several TLS handshakes may take long on a busy machine. */
const waitFor = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000 });

type Handler = (end: () => void, socket: Socket) => void;

/** An HTTP/1.1 server over TLS, and a client of it. */
async function served(
  handle: Handler,
  options: Partial<HttpClientOptions> = {},
): Promise<{ client: HttpClient; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createHttpsServer(serverTls, (request, response) => handle(() => response.end(), request.socket));
  server.on('secureConnection', (socket: Socket) => sockets.push(socket));
  const port = await listening(server);
  return { client: noBackoffClient({ baseUrl: `https://localhost:${port}`, tls: { ca }, ...options }), sockets };
}

/** An HTTP/2 server, and a client of it. */
async function http2Served(
  onStream: (stream: ServerHttp2Stream) => void,
  options: Partial<HttpClientOptions> = {},
  settings: Settings = {},
): Promise<{ client: HttpClient; sessions: () => number }> {
  let sessions = 0;
  const server = createSecureServer({ ...serverTls, settings });
  server.on('session', (session) => {
    sessions++;
    session.on('error', () => {});
  });
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    onStream(stream);
  });
  const port = await listening(server);
  const client = noBackoffClient({ baseUrl: `https://localhost:${port}`, tls: { ca }, ...options });
  return { client, sessions: () => sessions };
}

describe('connections over HTTP/1.1 with TLS', () => {
  test('are as many as calls in flight: one for sequential calls', async () => {
    const { client, sockets } = await served((end) => end());
    for (let i = 0; i < 20; i++) await client.get('/');
    expect(sockets).toHaveLength(1);
    expect(client.stats().connections).toEqual({ connected: 1, free: 1, pending: 0, running: 0 });
  });

  test('that are stale cost each call one repetition, also when several calls use several of them', async () => {
    let held: (() => void)[] = [];
    let isStale = (_socket: Socket): boolean => false;
    const { client, sockets } = await served((end, socket) => {
      if (isStale(socket)) socket.destroy();
      else held.push(end);
    });
    const peak = Array.from({ length: 6 }, () => client.get('/'));
    await waitFor(() => expect(held).toHaveLength(6));
    for (const end of held) end();
    await Promise.all(peak);
    const old = new Set(sockets);
    isStale = (socket) => old.has(socket);
    held = [];
    const calls = Array.from({ length: 3 }, () => client.get('/'));
    await waitFor(() => expect(held).toHaveLength(3));
    for (const end of held) end();
    for (const { attempts } of await Promise.all(calls)) expect(attempts).toHaveLength(2);
    expect(client.stats().policies['retry']).toMatchObject({ transparent: 3, retries: 0 });
  });
});

test('the host header of a request affects neither the server name of TLS nor the number of handshakes', async () => {
  const { client, sockets } = await served((end) => end(), { retry: false });
  const server = createHttpsServer(serverTls, (_, response) => response.end());
  const names: unknown[] = [];
  server.on('secureConnection', ({ servername }) => names.push(servername));
  const baseUrl = `https://127.0.0.1:${await listening(server)}`;
  const named = noBackoffClient({ baseUrl, tls: { ca, servername: 'localhost' }, retry: false });
  for (const headers of [{ host: 'api.internal' }, {}, { host: '127.0.0.1' }]) {
    await client.get('/', { headers });
    await named.get('/', { headers });
  }
  expect([sockets.length, names]).toEqual([1, ['localhost']]);
});

test('calls that wait for one connection all fail as soon as it fails, not one after the other', async () => {
  const clock = virtualClock();
  let connections = 0;
  const port = await listening(createTcpServer(() => connections++));
  const limits = { connectTimeoutMs: 300, attemptTimeoutMs: 1_000, retry: false, circuitBreaker: false } as const;
  const client = noBackoffClient({ baseUrl: `https://localhost:${port}`, tls: { ca }, clock, ...limits });
  const calls = Array.from({ length: 5 }, () => failure(client.get('/')));
  await waitFor(() => expect(connections).toBe(1));
  await clock.advance(300);
  for (const error of await Promise.all(calls)) {
    expect(error).toMatchObject({ errorCode: 'UND_ERR_CONNECT_TIMEOUT', phase: 'connect' });
  }
  expect([clock.monotonic(), connections]).toEqual([300, 1]);
});

test('a request that undici rejects does not keep others waiting', async () => {
  const port = await listening(createHttpsServer(serverTls, (_, response) => response.end()));
  const own = createConnector(connectionSettings({ tls: { ca } }), {
    connectTimeoutMs: 10_000,
    clock: systemClock,
    resolver: undefined,
  });
  const pool = new ConnectionPool({
    origin: `https://localhost:${port}`,
    connect: (target, callback) => own({ kind: 'direct', target }, callback),
    timeoutMs: 10_000,
  });
  cleanUp.push(() => pool.close());
  const endOf = (path: string): Promise<unknown> =>
    new Promise((resolve) => {
      const receiver = {
        onRequestStart() {},
        onResponseStart: (_: unknown, status: number) => resolve(status),
        onResponseData() {},
        onResponseEnd() {},
        onResponseError: (_: unknown, error: Error) => resolve((error as NodeJS.ErrnoException).code),
      };
      pool.dispatch({ path, method: 'GET' }, receiver);
    });
  expect(await Promise.all([endOf('no path'), endOf('/')])).toEqual(['UND_ERR_INVALID_ARG', 200]);
});

test('calls cancelled while the first connection is connecting open no connection of their own', async () => {
  let connections = 0;
  const server = createHttpsServer(serverTls, (_, response) => response.end());
  server.on('connection', () => connections++);
  const client = noBackoffClient({ baseUrl: `https://localhost:${await listening(server)}`, tls: { ca } });
  const first = client.get('/');
  const abort = new AbortController();
  const { signal } = abort;
  const cancelled = [client.get('/', { signal }), client.stream('GET', '/', { signal }), client.post('/', { signal })];
  const failures = cancelled.map(failure);
  abort.abort();
  expect(await Promise.all(failures)).toEqual(Array(3).fill(signal.reason));
  await first;
  await client.get('/');
  expect([connections, client.stats().connections]).toEqual([1, { connected: 1, free: 1, pending: 0, running: 0 }]);
});

describe('a TLS connection that could not be made', () => {
  const own = { ca, cert: pem('client-1'), key: pem('client-1.key') };
  test.each<[string, TlsOptions | (() => unknown), ServerOptions, 'failures' | 'neutral']>([
    ['a tls() function that throws', () => fails(new Error('cannot read the certificate')), {}, 'neutral'],
    ['a tls() function that throws undefined', () => fails(undefined), {}, 'neutral'],
    ['a client certificate that cannot be parsed', () => ({ ca, cert: 'none', key: 'none' }), {}, 'neutral'],
    ['a tls() function that returns a promise', async () => ({ ca }), {}, 'neutral'],
    ['a key of another certificate', () => ({ ...own, key: pem('client-2.key') }), {}, 'neutral'],
    ['a missing client certificate', { ca }, { requestCert: true, ca }, 'neutral'],
    ['an untrusted server certificate', {}, {}, 'failures'],
  ])('because of %s counts against the server only if it is at fault', async (_what, tls, options, verdict) => {
    const server = createHttpsServer({ ...serverTls, ...options }, (_, response) => response.end());
    const port = await listening(server);
    const proxy = createHttpServer().on('connect', (_, client: Socket) => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      const onward = connect(port, '127.0.0.1');
      client.pipe(onward).pipe(client);
      for (const socket of [client, onward]) socket.on('error', () => {});
    });
    for (const through of [false, `http://127.0.0.1:${await listening(proxy)}`] as const) {
      const client = noBackoffClient({
        baseUrl: `https://localhost:${port}`,
        tls: tls as TlsOptions,
        proxy: through,
        retry: false,
      });
      expect(await failure(client.get('/'))).toMatchObject({ code: 'MAC_HTTP_NETWORK', proxy: undefined });
      expect(client.stats().policies['circuitBreaker']).toMatchObject({ failures: 0, neutral: 0, [verdict]: 1 });
    }
  });
});

function fails(reason: unknown): never {
  throw reason;
}

describe('connections over HTTP/2', () => {
  test('that accept no request are closed after the connect timeout, and do not keep close() waiting', async () => {
    const limits = { connectTimeoutMs: 400, retry: false } as const;
    const { client } = await http2Served(() => {}, limits, { maxConcurrentStreams: 0 });
    const abort = new AbortController();
    const cancelled = failure(client.get('/', { signal: abort.signal }));
    const others = [client.get('/'), client.post('/')].map(failure);
    abort.abort();
    expect(await cancelled).toBe(abort.signal.reason);
    for (const error of await Promise.all(others)) expect(error).toMatchObject({ code: 'MAC_HTTP_NETWORK' });
    await client.close();
    expect(client.stats().connections).toEqual({ connected: 0, free: 0, pending: 0, running: 0 });
  });

  test('on which the server sends nothing are closed after the connect timeout', async () => {
    const clock = virtualClock();
    const port = await listening(createTlsServer({ ...serverTls, ALPNProtocols: ['h2'] }));
    const connect = createConnector(connectionSettings({ tls: { ca } }), {
      connectTimeoutMs: 300,
      clock,
      resolver: undefined,
    });
    const target = { hostname: 'localhost', protocol: 'https:', port: String(port) };
    const socket = await new Promise<Socket>((resolve, reject) => {
      connect({ kind: 'direct', target }, (error, made) => (error === null ? resolve(made) : reject(error)));
    });
    const failed = once(socket, 'error');
    await clock.advance(300);
    expect(await failed).toMatchObject([{ code: 'UND_ERR_CONNECT_TIMEOUT' }]);
  });

  test('carry a request with a host header of its own next to the others', async () => {
    const held: ServerHttp2Stream[] = [];
    const { client, sessions } = await http2Served((stream) => held.push(stream));
    const calls: Promise<unknown>[] = [];
    for (const [i, headers] of [{}, { host: 'api.internal' }, {}].entries()) {
      calls.push(client.get('/', { headers }));
      await waitFor(() => expect(held).toHaveLength(i + 1));
    }
    for (const stream of held) stream.respond({ ':status': 204 }, { endStream: true });
    await Promise.all(calls);
    expect(sessions()).toBe(1);
  });

  test('are opened in addition when one does not accept all calls', async () => {
    const held: ServerHttp2Stream[] = [];
    const { client, sessions } = await http2Served((stream) => held.push(stream), {}, { maxConcurrentStreams: 2 });
    const calls = Array.from({ length: 5 }, () => client.get('/'));
    await waitFor(() => expect(held).toHaveLength(5));
    expect(sessions()).toBe(3);
    for (const stream of held) stream.respond({ ':status': 204 }, { endStream: true });
    await Promise.all(calls);
  });

  test('queue each of many waiting calls once, not again for each call that is sent first', async () => {
    const { client } = await http2Served(
      (stream) => stream.respond({ ':status': 204 }, { endStream: true }),
      { bulkhead: false, timeoutMs: 60_000, attemptTimeoutMs: 60_000 },
      { maxConcurrentStreams: 2 },
    );
    const snapshots = vi.spyOn(AsyncLocalStorage, 'snapshot');
    cleanUp.push(() => snapshots.mockRestore());
    await Promise.all(Array.from({ length: 100 }, () => client.get('/')));
    expect(snapshots.mock.calls.length).toBeLessThanOrEqual(100);
  });
});

test('connections to other origins, where redirects lead, have the same maximum age', async () => {
  const sockets: Socket[] = [];
  const there = createHttpServer((_, response) => response.end());
  there.on('connection', (socket: Socket) => sockets.push(socket));
  const location = `http://127.0.0.1:${await listening(there)}/there`;
  const home = createHttpServer((_, response) => response.writeHead(307, { location }).end());
  const proxy = createHttpServer((request, response) => {
    if (request.url === location) response.end();
    else response.writeHead(307, { location }).end();
  });
  const proxied: Socket[] = [];
  proxy.on('connection', (socket: Socket) => proxied.push(socket));
  const [homePort, proxyPort] = [await listening(home), await listening(proxy)];
  for (const [option, connections] of [
    [false, sockets],
    [`http://127.0.0.1:${proxyPort}`, proxied],
  ] as const) {
    const clock = virtualClock();
    const client = noBackoffClient({
      baseUrl: `http://127.0.0.1:${homePort}`,
      proxy: option,
      redirects: { crossOrigin: true },
      dns: { maxConnectionAgeMs: 1_000 },
      clock,
    });
    const call = async (): Promise<void> => {
      let isOver = false;
      const done = client.get('/').finally(() => (isOver = true));
      // The request after a redirect is sent by a timer of 0 ms.
      for (; !isOver; await nextTurn()) await clock.advance(0);
      await done;
    };
    await call();
    const before = connections.length;
    await call();
    expect(connections).toHaveLength(before);
    await clock.advance(1_000);
    await call();
    // Through the proxy there are two connections as well: one for each origin.
    expect(connections).toHaveLength(2 * before);
  }
});

test.each([
  ['GET', undefined, 1],
  // While it is not known whether the body was sent, the next request takes another connection.
  ['POST', 'body', 2],
] as const)(
  'connections are kept when a response is read before TLS has reported the request as sent: %s',
  async (method, body, most) => {
    const server = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
    let connections = 0;
    const server = require('node:https').createServer(workerData, (request, response) => {
      request.resume().on('end', () => response.end(String(connections)));
    });
    server.on('connection', () => connections++);
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
      { eval: true, workerData: serverTls },
    );
    cleanUp.push(() => server.terminate());
    const [port] = (await once(server, 'message')) as [number];
    // The response arrives while this thread is busy with other work.
    const isBusy = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
    subscribe('undici:request:bodySent', isBusy);
    cleanUp.push(() => unsubscribe('undici:request:bodySent', isBusy));
    const client = noBackoffClient({ baseUrl: `https://localhost:${port}`, tls: { ca } });
    let connections = 0;
    for (let i = 0; i < 8; i++) connections = Number((await client.request(method, '/', { body })).text());
    expect(connections).toBeLessThanOrEqual(most);
  },
);
