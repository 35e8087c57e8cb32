import { getEventListeners, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runWork } from '@macadam/core';
import { runScript } from '@macadam/test-support/processes';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../src/index.ts';

let server: Server;
let baseUrl: string;

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    const { url = '' } = request;
    if (url.startsWith('/bomb')) response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB);
    else
      response.writeHead(url.startsWith('/none') ? 404 : 200, { 'content-type': 'application/json' }).end('{"id":1}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const BOMB = gzipSync(Buffer.alloc(200 * 1_048_576));
const IN_FLIGHT = 32;

function heap(): number {
  expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function repeat(times: number, call: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const callInSequence = async (): Promise<void> => {
    for (let i = next++; i < times; i = next++) await call(i);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, callInSequence));
}

/** Calls of every kind that holds resources while it is in flight. */
function calls(client: HttpClient, signal: AbortSignal): (i: number) => Promise<unknown> {
  return async (i) => {
    // An id in the path template makes a new template each time: caches by template must be bounded.
    if (i % 50 === 0) return (await client.get(`/items/${i}`, { signal })).data;
    if (i % 50 === 1) return client.get('/none', { throwOnStatus: false, signal });
    if (i % 50 === 2) return client.post('/items', { json: { i }, idempotencyKey: true, signal });
    if (i % 50 === 3) return runWork({ timeoutMs: 60_000, signal }, () => client.get('/items'));
    return (await client.get('/items/{id}', { params: { id: i }, signal })).data;
  };
}

test('fifty thousand requests leak no heap, listeners, timers or bulkhead permits', async () => {
  const client = createHttpClient({ baseUrl });
  const { signal } = new AbortController();
  const call = calls(client, signal);
  await repeat(15_000, call);
  const before = heap();
  await repeat(35_000, call);
  expect(heap() - before).toBeLessThan(2_000_000);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(client.stats()).toMatchObject({
    calls: 50_000,
    inFlight: 0,
    policies: { bulkhead: { inFlight: 0 }, timeout: { inFlight: 0 }, attemptTimeout: { inFlight: 0 } },
  });
  expect(client.stats().connections?.connected).toBeLessThanOrEqual(2 * IN_FLIGHT);
  await client.close();
}, 180_000);

test('D2: a decompression bomb of 200 MB in 200 kB is rejected within 16 MB of memory', async () => {
  expect(BOMB.length).toBeLessThan(220_000);
  // In a process of its own: maxRSS is the peak over the life of a process.
  const script = join(import.meta.dirname, 'children', 'get-bomb.ts');
  const output = await runScript(script, { args: [baseUrl], timeoutMs: 60_000 });
  const { code, limit, grewBy } = JSON.parse(output) as { code: string; limit: string; grewBy: number };
  expect(code).toBe('MAC_HTTP_RESPONSE_TOO_LARGE');
  // Which limit is hit first depends on the sizes of the received chunks.
  expect(['maxBytes', 'maxRatio']).toContain(limit);
  expect(grewBy).toBeLessThan(16_000_000);
}, 60_000);
