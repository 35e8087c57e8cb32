import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { constants, type ClientHttp2Stream } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { watchedSocket } from '../src/transport/reused-sockets.ts';
import { answer, ca, http2Frames, type FramedRequest } from './http2-frames.ts';
import { closeClients, failure, impatientClient } from './impatient-clients.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A client that is connected to a server which answers nothing more on that connection, and `next` does what is left. */
async function connected(next: (request: FramedRequest) => void) {
  const sockets = new Set<unknown>();
  const server = await http2Frames({}, (request) => {
    sockets.add(request.socket);
    if (request.count === 1 || sockets.size > 1) answer(request);
    else next(request);
  });
  cleanUp.push(server.close);
  const client = impatientClient({ baseUrl: server.url, tls: { ca }, timeoutMs: 20_000, attemptTimeoutMs: 15_000 });
  await client.get('/first');
  return { client, sockets };
}

test('a connection of HTTP/2 that died without a word is left once a call on it was given up, and not after minutes', async () => {
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

test('one that the server leaves with an error, and reads no more of, is closed soon after', async () => {
  const server = await http2Frames({ answersHeaders: true }, (request) => {
    request.socket.pause();
    request.goAway(request.id, constants.NGHTTP2_INTERNAL_ERROR);
  });
  cleanUp.push(server.close);
  let socket: Socket | undefined;
  const note = (message: unknown): void => {
    socket = watchedSocket((message as { stream: ClientHttp2Stream }).stream.session?.socket);
  };
  subscribe('http2.client.stream.created', note);
  cleanUp.push(() => unsubscribe('http2.client.stream.created', note));
  const client = impatientClient({ baseUrl: server.url, tls: { ca }, retry: false });
  expect(await failure(client.put('/a', { body: Buffer.alloc(20_000_000) }))).toMatchObject({
    errorCode: 'ERR_HTTP2_SESSION_ERROR',
  });
  await vi.waitFor(() => expect(socket).toMatchObject({ destroyed: true }), { timeout: 15_000 });
});

test('one that is only slow to answer is kept: it answers a PING', async () => {
  const slow: FramedRequest[] = [];
  const { client, sockets } = await connected((request) => {
    slow.push(request);
  });
  const patient = client.get('/patient');
  expect(await failure(client.get('/impatient', { timeoutMs: 50 }))).toMatchObject({ code: 'MAC_TIMEOUT' });
  // Longer than a connection may be silent.
  await sleep(2_500);
  for (const request of slow.splice(0)) answer(request);
  expect((await patient).attempts).toMatchObject([{ status: 200 }]);
  expect(sockets.size).toBe(1);
});

/** A line to the server at `url` that carries nothing more to it while it is held. */
async function line(url: string): Promise<{ url: string; hold: () => void; release: () => void }> {
  const ends: [near: Socket, far: Socket][] = [];
  const between = createServer((near) => {
    const far = connect(Number(new URL(url).port), '127.0.0.1');
    for (const end of [near, far]) end.on('error', () => {});
    near.pipe(far).pipe(near);
    ends.push([near, far]);
  });
  await once(between.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => {
    for (const end of ends.flat()) end.destroy();
    between.close();
  });
  return {
    url: `https://localhost:${(between.address() as AddressInfo).port}`,
    hold: () => ends.forEach(([near, far]) => near.unpipe(far)),
    release: () => ends.forEach(([near, far]) => near.pipe(far)),
  };
}

test('one on which an upload is under way is given the time that this takes: the PING comes after it', async () => {
  const slow: FramedRequest[] = [];
  const server = await http2Frames({}, (request) => {
    if (request.count === 1) answer(request);
    else slow.push(request);
  });
  cleanUp.push(server.close);
  const { url, hold, release } = await line(server.url);
  const client = impatientClient({ baseUrl: url, tls: { ca }, timeoutMs: 20_000, attemptTimeoutMs: 15_000 });
  await client.get('/first');
  const patient = client.get('/patient');
  hold();
  const upload = client.put('/upload', { body: Buffer.alloc(3_000_000), timeoutMs: 200 });
  expect(await failure(upload)).toMatchObject({ code: 'MAC_TIMEOUT' });
  // Longer than a connection without an upload may be silent.
  await sleep(3_000);
  release();
  await expect.poll(() => slow.length).toBeGreaterThan(0);
  for (const request of slow.splice(0)) answer(request);
  expect((await patient).attempts).toMatchObject([{ status: 200 }]);
});
