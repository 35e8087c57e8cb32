import { getEventListeners, getMaxListeners } from 'node:events';
import { constant } from '@macadam/resilience';
import {
  garbage,
  resetAfterHeaders,
  resetBeforeHeaders,
  resetMidBody,
  respond,
  seededRandom,
  slow,
  startFaultServer,
  stallMidBody,
  hang,
} from '@macadam/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpClient } from '../src/index.ts';

/** How many calls succeed within short timeouts depends on the machine; with long ones, all must succeed afterwards. */
const LONG_TIMEOUTS = { timeoutMs: 30_000, attemptTimeoutMs: 30_000 };

let unhandled: unknown[];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
  process.on('uncaughtException', onUnhandled);
});
afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
  process.off('uncaughtException', onUnhandled);
});

test('AC31: with every fault and cancellations in every phase, every call settles and nothing leaks', async () => {
  const random = seededRandom(31);
  const faults = [
    resetBeforeHeaders(),
    resetAfterHeaders(),
    resetMidBody(),
    respond(503),
    garbage(),
    slow(5),
    hang(),
    stallMidBody(),
  ];
  await using upstream = await startFaultServer({ seed: 31, faults: faults.map((fault) => ({ fault, share: 0.1 })) });
  const client = createHttpClient({
    baseUrl: upstream.url,
    timeoutMs: 1_000,
    attemptTimeoutMs: 250,
    circuitBreaker: false,
    retry: { budget: false, backoff: constant({ delayMs: 1 }), throttledBaseMs: 0 },
  });
  const counts = { ok: 0, failed: 0, cancelled: 0 };
  const reason = new Error('cancelled');
  const one = async (): Promise<void> => {
    const abort = new AbortController();
    // Cancels at any point: at once, while connecting, waiting, or reading.
    if (random() < 0.4) void abortAfter(Math.floor(random() * 12), abort, reason);
    await client.get('/a', { signal: abort.signal }).then(
      () => counts.ok++,
      (error: unknown) => (error === reason ? counts.cancelled++ : counts.failed++),
    );
  };
  for (let batch = 0; batch < 12; batch++) await Promise.all(Array.from({ length: 25 }, one));
  expect(counts.ok + counts.failed + counts.cancelled).toBe(300);
  expect(counts.cancelled).toBeGreaterThan(20);
  expect(client.stats().inFlight).toBe(0);
  await upstream.setFaults([]);
  await Promise.all(Array.from({ length: 25 }, () => client.get('/a', LONG_TIMEOUTS)));
  await client.close();
  await upstream.waitUntil(({ openConnections }) => openConnections === 0);
  expect(unhandled).toEqual([]);
});

test('AC31: streams, uploads and fetch settle as well, wherever they are cancelled', async () => {
  const random = seededRandom(32);
  const faults = [
    resetBeforeHeaders(),
    resetAfterHeaders(),
    resetMidBody(),
    respond(503),
    respond(401),
    respond(302, { headers: { location: '/elsewhere' } }),
    garbage(),
    hang(),
  ];
  await using upstream = await startFaultServer({
    seed: 32,
    faults: [
      ...faults.map((fault) => ({ fault, share: 0.08 })),
      // The idle timeout of a fetch is ten seconds and has no option per call.
      { fault: stallMidBody(), share: 0.08, when: ({ path }) => path !== '/fetched' },
    ],
    handle: () => ({ body: Buffer.alloc(200_000, 'x') }),
  });
  const client = createHttpClient({
    baseUrl: upstream.url,
    timeoutMs: 600,
    attemptTimeoutMs: 200,
    circuitBreaker: false,
    retry: { backoff: constant({ delayMs: 1 }), throttledBaseMs: 0 },
    auth: { authorize: async () => Promise.resolve({ authorization: 'x' }), invalidate() {} },
  });
  const reason = new Error('cancelled');
  async function* upload(pieces: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < pieces; i++) yield await Promise.resolve(Buffer.alloc(40_000));
  }
  const read = async (body: AsyncIterable<unknown> | null, most: number): Promise<void> => {
    let pieces = 0;
    if (body !== null) for await (const _ of body) if (++pieces >= most) break;
  };
  const limits = { idleTimeoutMs: 100, unreadTimeoutMs: 100 };
  const requests: ((signal: AbortSignal, most: number) => Promise<unknown>)[] = [
    (signal, most) => client.stream('GET', '/a', { signal, ...limits }).then(({ body }) => read(body, most)),
    (signal) => client.stream('GET', '/forgotten', { signal, ...limits }),
    (signal, most) =>
      client
        .stream('PUT', '/a', { signal, body: () => upload(most * 3), throwOnStatus: false, ...limits })
        .then(({ body }) => read(body, most)),
    (signal, most) => client.put('/a', { signal, body: upload(most * 10) }),
    (signal) => client.put('/a', { signal, multipart: { a: new Blob([Buffer.alloc(100_000)]) } }),
    (signal) => client.fetch('/fetched', { signal }).then((response) => response.arrayBuffer()),
    (signal) => client.fetch('/fetched', { signal }).then((response) => response.body?.cancel()),
  ];
  const counts = { ok: 0, failed: 0, cancelled: 0 };
  const one = async (): Promise<void> => {
    const abort = new AbortController();
    if (random() < 0.4) void abortAfter(Math.floor(random() * 12), abort, reason);
    const request = requests[Math.floor(random() * requests.length)] as (typeof requests)[number];
    await request(abort.signal, 1 + Math.floor(random() * 4)).then(
      () => counts.ok++,
      (error: unknown) => (error === reason ? counts.cancelled++ : counts.failed++),
    );
  };
  for (let batch = 0; batch < 16; batch++) await Promise.all(Array.from({ length: 20 }, one));
  expect(counts.ok + counts.failed + counts.cancelled).toBe(320);
  expect([counts.failed > 0, counts.cancelled > 0]).toEqual([true, true]);
  await upstream.setFaults([]);
  const { body } = await client.stream('GET', '/a', LONG_TIMEOUTS);
  await read(body, Infinity);
  await client.put('/a', { body: upload(10), ...LONG_TIMEOUTS });
  await client.close();
  await upstream.waitUntil(({ openConnections }) => openConnections === 0);
  expect(unhandled).toEqual([]);
});

async function abortAfter(turns: number, abort: AbortController, reason: Error): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  abort.abort(reason);
}

test('AC9: AC10: calls that share a signal have one listener each while in flight, and none afterwards', async () => {
  await using upstream = await startFaultServer();
  await using client = createHttpClient({ baseUrl: upstream.url });
  const { signal } = new AbortController();
  const limit = getMaxListeners(signal);
  let most = 0;
  for (let batch = 0; batch < 20; batch++) {
    const calls = Array.from({ length: 10 }, () => client.get('/a', { signal }));
    most = Math.max(most, getEventListeners(signal, 'abort').length);
    await Promise.all(calls);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  }
  expect(most).toBe(10);
  // Raising the limit would hide a leak in the caller's code.
  expect(getMaxListeners(signal)).toBe(limit);
});
