import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { answer, ca, http2Frames, type FramedRequest } from './http2-frames.ts';
import { closeClients, failure, impatientClient } from './impatient-clients.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A server that never answers on its first connection, and whatever else `first` does about a request on it. */
async function silentOnce(first: (request: FramedRequest) => void) {
  const sockets = new Set<unknown>();
  const server = await http2Frames({}, (request) => {
    sockets.add(request.socket);
    if (sockets.size === 1) first(request);
    else answer(request);
  });
  cleanUp.push(server.close);
  const client = impatientClient({ baseUrl: server.url, tls: { ca }, timeoutMs: 20_000, attemptTimeoutMs: 15_000 });
  return { client, sockets };
}

test('a connection of HTTP/2 that died without a word is left once a call on it was given up, and not after minutes', async () => {
  const { client, sockets } = await silentOnce(({ socket }) => socket.pause());
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

test('one that is only slow to answer is kept: it answers a PING', async () => {
  const slow: FramedRequest[] = [];
  const { client, sockets } = await silentOnce((request) => {
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
