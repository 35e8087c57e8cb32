import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ca, http2Frames, respond } from './http2-frames.ts';
import { closeClients, noBackoffClient } from './client-helpers.ts';

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** Longer than the timeouts of a call, which are far longer than a call on an open connection takes on a busy machine. */
const BLOCK_MS = 650;
const LIMITS = { attemptTimeoutMs: 500, timeoutMs: 550 };

/** Blocks the event loop, which the server and the client share, before the client has read the response just written. */
function blockEventLoop(): void {
  setImmediate(() => {
    const until = performance.now() + BLOCK_MS;
    while (performance.now() < until);
  });
}

async function serveHttp1(): Promise<string> {
  const server = createServer((_request, response) => {
    response.end('whole');
    blockEventLoop();
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
    blockEventLoop();
  });
  cleanUp.push(server.close);
  return server.url;
}

test.each([
  ['HTTP/1.1', serveHttp1, {}],
  ['HTTP/2', serveHttp2, { tls: { ca } }],
])(
  'a response that arrived in time over %s is used even if the event loop was blocked beyond the timeout',
  async (_, serve, tls) => {
    const client = noBackoffClient({ baseUrl: await serve(), ...LIMITS, ...tls });
    await client.get('/a', { attemptTimeoutMs: 30_000, timeoutMs: 30_000 });
    for (let i = 0; i < 2; i++) {
      const response = await client.get('/a');
      expect(response.attempts).toMatchObject([{ status: 200 }]);
    }
  },
);
