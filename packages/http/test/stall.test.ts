import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ca, http2Frames, respond } from './http2-frames.ts';
import { closeClients, impatientClient } from './impatient-clients.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** More than a call may take. What a busy machine may take for one on a connection that is there is far less than either. */
const STILL_MS = 650;
const LIMITS = { attemptTimeoutMs: 500, timeoutMs: 550 };

/** Keeps this process from doing anything for a while, before it has read what was just sent to it. */
function standStill(): void {
  setImmediate(() => {
    const until = performance.now() + STILL_MS;
    while (performance.now() < until);
  });
}

async function serveHttp1(): Promise<string> {
  const server = createServer((_request, response) => {
    response.end('whole');
    standStill();
  });
  cleanUp.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function serveHttp2(): Promise<string> {
  const server = await http2Frames({}, (request) => {
    respond(request);
    standStill();
  });
  cleanUp.push(server.close);
  return server.url;
}

test.each([
  ['HTTP/1.1', serveHttp1, {}],
  ['HTTP/2', serveHttp2, { tls: { ca } }],
])('a process that stood still takes the answer that came before the time was over, over %s', async (_, serve, tls) => {
  const client = impatientClient({ baseUrl: await serve(), ...LIMITS, ...tls });
  await client.get('/a', { attemptTimeoutMs: 30_000, timeoutMs: 30_000 });
  for (let i = 0; i < 2; i++) {
    const response = await client.get('/a');
    expect(response.attempts).toMatchObject([{ status: 200 }]);
  }
});
