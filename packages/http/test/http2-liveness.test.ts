import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { constants, type ClientHttp2Stream } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { trackedSocket } from '../src/transport/stale-connections.ts';
import { ca, http2Frames, respond, type FramedRequest } from './http2-frames.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A client with a connection whose server responds to the first request only; later requests on it go to `next`. */
async function connected(next: (request: FramedRequest) => void) {
  const sockets = new Set<unknown>();
  const server = await http2Frames({}, (request) => {
    sockets.add(request.socket);
    if (request.count === 1 || sockets.size > 1) respond(request);
    else next(request);
  });
  cleanUp.push(server.close);
  const client = noBackoffClient({ baseUrl: server.url, tls: { ca }, timeoutMs: 20_000, attemptTimeoutMs: 15_000 });
  await client.get('/first');
  return { client, sockets };
}

test('an HTTP/2 connection that died silently is closed seconds after a call on it was cancelled', async () => {
  const { client, sockets } = await connected(({ socket }) => socket.pause());
  const patient = client.get('/patient');
  const unsafe = failure(client.post('/unsafe', { json: 1 }));
  const impatient = failure(client.get('/impatient', { timeoutMs: 50 }));
  expect(await impatient).toMatchObject({ code: 'MAC_TIMEOUT' });
  expect((await patient).attempts).toMatchObject([{ errorCode: 'ETIMEDOUT' }, { status: 200 }]);
  expect(await unsafe).toMatchObject({
    code: 'MAC_HTTP_NETWORK',
    errorCode: 'ETIMEDOUT',
    gaveUp: 'notRetryable',
    cause: { message: expect.stringContaining('The connection is dead') },
  });
  expect((await client.post('/next', { json: 1 })).text()).toBe('whole');
  expect(sockets.size).toBe(2);
});

test.each([
  ['GOAWAY with an error', constants.NGHTTP2_INTERNAL_ERROR, 'ERR_HTTP2_SESSION_ERROR'],
  ['a graceful GOAWAY', constants.NGHTTP2_NO_ERROR, 'MAC_TIMEOUT'],
])(
  'an HTTP/2 connection that the server ends by %s and stops reading is closed soon after',
  async (_how, code, expected) => {
    const server = await http2Frames({ respondsToHeaders: true }, (request) => {
      request.socket.pause();
      request.goAway(request.id, code);
    });
    cleanUp.push(server.close);
    let socket: Socket | undefined;
    const onStream = (message: unknown): void => {
      socket = trackedSocket((message as { stream: ClientHttp2Stream }).stream.session?.socket);
    };
    subscribe('http2.client.stream.created', onStream);
    cleanUp.push(() => unsubscribe('http2.client.stream.created', onStream));
    const client = noBackoffClient({ baseUrl: server.url, tls: { ca }, retry: false, timeoutMs: 500 });
    const error = (await failure(client.put('/a', { body: Buffer.alloc(20_000_000) }))) as {
      code: string;
      errorCode: string;
    };
    expect([error.code, error.errorCode]).toContain(expected);
    await vi.waitFor(() => expect(socket).toMatchObject({ destroyed: true }), { timeout: 15_000 });
  },
);

test('an HTTP/2 connection whose server is only slow to respond is kept, since it acknowledges the PING', async () => {
  const slow: FramedRequest[] = [];
  const { client, sockets } = await connected((request) => {
    slow.push(request);
  });
  const patient = client.get('/patient');
  expect(await failure(client.get('/impatient', { timeoutMs: 50 }))).toMatchObject({ code: 'MAC_TIMEOUT' });
  // Longer than the silence limit.
  await sleep(2_500);
  for (const request of slow.splice(0)) respond(request);
  expect((await patient).attempts).toMatchObject([{ status: 200 }]);
  expect(sockets.size).toBe(1);
});

/** A relay to the server at `url` that passes nothing on while it is held. */
async function relay(url: string): Promise<{ url: string; hold: () => void; release: () => void }> {
  const ends: [near: Socket, far: Socket][] = [];
  const server = createServer((near) => {
    const far = connect(Number(new URL(url).port), '127.0.0.1');
    for (const end of [near, far]) end.on('error', () => {});
    near.pipe(far).pipe(near);
    ends.push([near, far]);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => {
    for (const end of ends.flat()) end.destroy();
    server.close();
  });
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    hold: () => ends.forEach(([near, far]) => near.unpipe(far)),
    release: () => ends.forEach(([near, far]) => near.pipe(far)),
  };
}

test('an HTTP/2 connection with an upload in flight is given the time for it, since the PING is queued behind it', async () => {
  const slow: FramedRequest[] = [];
  const server = await http2Frames({}, (request) => {
    if (request.count === 1) respond(request);
    else slow.push(request);
  });
  cleanUp.push(server.close);
  const { url, hold, release } = await relay(server.url);
  const client = noBackoffClient({ baseUrl: url, tls: { ca }, timeoutMs: 20_000, attemptTimeoutMs: 15_000 });
  await client.get('/first');
  const patient = client.get('/patient');
  hold();
  const upload = client.put('/upload', { body: Buffer.alloc(3_000_000), timeoutMs: 200 });
  expect(await failure(upload)).toMatchObject({ code: 'MAC_TIMEOUT' });
  // Longer than the silence limit of a connection without an upload.
  await sleep(3_000);
  release();
  await expect.poll(() => slow.length).toBeGreaterThan(0);
  for (const request of slow.splice(0)) respond(request);
  expect((await patient).attempts).toMatchObject([{ status: 200 }]);
});
