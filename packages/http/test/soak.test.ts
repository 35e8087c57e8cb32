import { getEventListeners } from 'node:events';
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

let unhandled: unknown[];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});

test('AC31: under every fault, with cancels at every phase, every call settles and nothing is left', async () => {
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
    timeoutMs: 400,
    attemptTimeoutMs: 100,
    circuitBreaker: false,
    retry: { backoff: constant({ delayMs: 1 }), throttledBaseMs: 0 },
  });
  const counts = { ok: 0, failed: 0, left: 0 };
  const reason = new Error('left');
  const one = async (): Promise<void> => {
    const abort = new AbortController();
    // Settled from any point of the call: at once, while connecting, waiting, or reading.
    if (random() < 0.4) void leaveAfter(Math.floor(random() * 12), abort, reason);
    await client.get('/a', { signal: abort.signal }).then(
      () => counts.ok++,
      (error: unknown) => (error === reason ? counts.left++ : counts.failed++),
    );
  };
  for (let batch = 0; batch < 12; batch++) await Promise.all(Array.from({ length: 25 }, one));
  expect(counts.ok + counts.failed + counts.left).toBe(300);
  expect(counts.ok).toBeGreaterThan(50);
  expect(counts.left).toBeGreaterThan(20);
  expect(client.stats().inFlight).toBe(0);
  await client.close();
  await upstream.waitUntil(({ openConnections }) => openConnections === 0);
  expect(unhandled).toEqual([]);
});

async function leaveAfter(turns: number, abort: AbortController, reason: Error): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  abort.abort(reason);
}

test('AC9: calls that share a signal hold a listener each while in flight, and none afterwards', async () => {
  await using upstream = await startFaultServer();
  await using client = createHttpClient({ baseUrl: upstream.url });
  const { signal } = new AbortController();
  let most = 0;
  for (let batch = 0; batch < 20; batch++) {
    const calls = Array.from({ length: 10 }, () => client.get('/a', { signal }));
    most = Math.max(most, getEventListeners(signal, 'abort').length);
    await Promise.all(calls);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  }
  expect(most).toBe(10);
});
