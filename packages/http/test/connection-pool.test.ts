import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { failure } from './client-helpers.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

/** A server that records its connections, and a client of it. */
async function served(
  listener: RequestListener,
  options: Partial<HttpClientOptions> = { retry: false, circuitBreaker: false },
  hostname = '127.0.0.1',
): Promise<{ client: HttpClient; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer(listener);
  server.on('connection', (socket: Socket) => sockets.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = createHttpClient({
    baseUrl: `http://${hostname}:${(server.address() as AddressInfo).port}`,
    ...options,
  });
  cleanUp.push(() => server.close());
  cleanUp.push(() => client.close());
  return { client, sockets };
}

const empty: RequestListener = (_, response) => response.end();

/** Holds every request; calling an entry of `held` responds to it. */
function holding(): { listener: RequestListener; held: (() => void)[] } {
  const held: (() => void)[] = [];
  return { listener: (_, response) => held.push(() => response.end()), held };
}

describe('connections over HTTP/1.1 without TLS', () => {
  test('sequential calls share one connection', async () => {
    const { client, sockets } = await served(empty);
    for (let i = 0; i < 50; i++) await client.get('/');
    expect(sockets).toHaveLength(1);
    expect(client.stats().connections).toEqual({ connected: 1, free: 1, pending: 0, running: 0 });
  });

  test('there are as many connections as calls in flight, and no more', async () => {
    const { client, sockets } = await served(empty);
    const callInSequence = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await client.get('/');
    };
    await Promise.all(Array.from({ length: 8 }, callInSequence));
    expect(sockets).toHaveLength(8);
  });

  test('a stale connection retires the other idle ones: the repeated request opens a new connection', async () => {
    let held: (() => void)[] = [];
    let isStale = (_socket: Socket): boolean => false;
    const { client, sockets } = await served(({ socket }, response) => {
      if (isStale(socket)) socket.resetAndDestroy();
      else held.push(() => response.end());
    }, {});
    const peak = Array.from({ length: 10 }, () => client.get('/'));
    await vi.waitFor(() => expect(held).toHaveLength(10));
    for (const end of held) end();
    await Promise.all(peak);
    const old = new Set(sockets);
    isStale = (socket) => old.has(socket);
    held = [];
    const call = client.get('/');
    await vi.waitFor(() => expect(held).toHaveLength(1));
    held[0]?.();
    expect((await call).attempts).toMatchObject([{ errorCode: 'ECONNRESET' }, { status: 200 }]);
    expect(sockets).toHaveLength(11);
    expect(client.stats().connections).toMatchObject({ connected: 1 });
  });

  test('the connection released last is used first, so that those opened for a peak stay idle', async () => {
    const { listener, held } = holding();
    const { client, sockets } = await served(listener);
    const peak = [client.get('/'), client.get('/'), client.get('/')];
    await vi.waitFor(() => expect(held).toHaveLength(3));
    for (const end of held) end();
    await Promise.all(peak);
    const readBefore = sockets.map(({ bytesRead }) => bytesRead);
    for (let i = 0; i < 10; i++) {
      const call = client.get('/');
      await vi.waitFor(() => expect(held).toHaveLength(4 + i));
      held.at(-1)?.();
      await call;
    }
    expect(sockets).toHaveLength(3);
    expect(sockets.filter(({ bytesRead }, i) => bytesRead > (readBefore[i] as number))).toHaveLength(1);
  });

  test('an idle connection that the server closes is removed, and the next call opens another', async () => {
    const { client, sockets } = await served(empty);
    await client.get('/');
    sockets[0]?.destroy();
    await vi.waitFor(() => expect(client.stats().connections?.connected).toBe(0));
    expect((await client.get('/')).status).toBe(200);
    expect(sockets).toHaveLength(2);
    expect(client.stats().connections).toMatchObject({ connected: 1, free: 1 });
  });

  test('a connection that could not be made is not used before an idle one', async () => {
    let isUp = true;
    let fail = (): void => {};
    const lookup: LookupFunction = (_hostname, _options, callback) => {
      if (isUp) callback(null, '127.0.0.1', 4);
      else fail = () => callback(Object.assign(new Error('DNS is down'), { code: 'EAI_AGAIN' }), '');
    };
    const { client } = await served(empty, { dns: { lookup }, retry: false }, 'a.example');
    await client.get('/');
    isUp = false;
    const [first, second] = [client.get('/'), failure(client.get('/'))];
    await first;
    fail();
    expect(await second).toMatchObject({ errorCode: 'EAI_AGAIN' });
    for (let i = 0; i < 3; i++) expect((await client.get('/')).status).toBe(200);
    expect(client.stats().connections).toEqual({ connected: 1, free: 1, pending: 0, running: 0 });
  });

  test('a server that closes after each response gets a new connection for each call', async () => {
    const { client, sockets } = await served((_, response) => response.setHeader('connection', 'close').end());
    for (let i = 0; i < 5; i++) expect((await client.get('/')).status).toBe(200);
    expect(sockets).toHaveLength(5);
  });

  test('a cancelled call reports its reason on the diagnostics channel of undici', async () => {
    const { listener, held } = holding();
    const { client } = await served(listener);
    const reasons: unknown[] = [];
    const onError = (message: unknown): void => void reasons.push((message as { error: Error }).error.message);
    subscribe('undici:request:error', onError);
    cleanUp.push(() => unsubscribe('undici:request:error', onError));
    const abort = new AbortController();
    const cancelled = failure(client.get('/', { signal: abort.signal }));
    await vi.waitFor(() => expect(held).toHaveLength(1));
    abort.abort(new Error('the user has left'));
    await cancelled;
    expect(reasons).toEqual(['the user has left']);
  });

  test('a connection whose call was cancelled is not reused', async () => {
    const { listener, held } = holding();
    const { client, sockets } = await served(listener);
    const abort = new AbortController();
    const cancelled = failure(client.get('/', { signal: abort.signal }));
    await vi.waitFor(() => expect(held).toHaveLength(1));
    abort.abort();
    expect(await cancelled).toBe(abort.signal.reason);
    const next = client.get('/');
    await vi.waitFor(() => expect(held).toHaveLength(2));
    held[1]?.();
    expect((await next).status).toBe(200);
    expect(sockets).toHaveLength(2);
    await vi.waitFor(() => expect(client.stats().connections).toMatchObject({ connected: 1, pending: 0, running: 0 }));
  });

  test('a connection is busy until a streamed response has been read to its end', async () => {
    const ends: (() => void)[] = [];
    const { client, sockets } = await served((request, response) => {
      if (request.url !== '/long') return void response.end();
      response.write('begun');
      ends.push(() => response.end(', done'));
    });
    const stream = await client.stream('GET', '/long');
    await client.get('/');
    expect(sockets).toHaveLength(2);
    ends[0]?.();
    expect((await stream.body.toArray()).join('')).toBe('begun, done');
    await Promise.all([client.get('/'), client.get('/')]);
    expect(sockets).toHaveLength(2);
  });

  test('close() closes all connections, those in use after their calls have ended', async () => {
    const { listener, held } = holding();
    const { client, sockets } = await served(listener);
    const calls = [client.get('/'), client.get('/')];
    await vi.waitFor(() => expect(held).toHaveLength(2));
    const closed = client.close();
    for (const end of held) end();
    await Promise.all([...calls, closed]);
    await vi.waitFor(() => expect(sockets.every((socket) => socket.destroyed)).toBe(true));
  });

  test('calls to an unreachable host fail and leave no connection behind', async () => {
    const { client } = await served(empty);
    await client.close();
    const unreachable = createHttpClient({ baseUrl: 'http://127.0.0.1:1', retry: false, circuitBreaker: false });
    cleanUp.push(() => unreachable.close());
    for (let i = 0; i < 5; i++) expect(await failure(unreachable.get('/'))).toMatchObject({ code: 'MAC_HTTP_NETWORK' });
    expect(unreachable.stats().connections).toEqual({ connected: 0, free: 0, pending: 0, running: 0 });
  });
});
