/**
 * The outages of docs/simulation, over real sockets and in real time. Assertions are shares of the calls with a margin: a busy
 * machine makes calls slower, but does not change how they end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyStats } from '@macadam/resilience';
import { refuse, respond, startFaultServer, type FaultServer } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../src/index.ts';

interface Tally {
  calls: number;
  succeeded: number;
  /** Requests on the wire. */
  requests: number;
}

/** Starts a call about every 4 ms while `goesOn` returns true, without waiting for responses. */
async function load(client: HttpClient, goesOn: (calls: number) => boolean): Promise<Tally> {
  const tally = { calls: 0, succeeded: 0, requests: -client.stats().attempts };
  const calls: Promise<unknown>[] = [];
  while (goesOn(tally.calls)) {
    tally.calls++;
    calls.push(
      client.get('/a').then(
        () => tally.succeeded++,
        () => {},
      ),
    );
    await sleep(4);
  }
  await Promise.all(calls);
  tally.requests += client.stats().attempts;
  return tally;
}

const forMs = (ms: number): (() => boolean) => {
  const end = performance.now() + ms;
  return () => performance.now() < end;
};
const times =
  (count: number) =>
  (calls: number): boolean =>
    calls < count;
const shareOf = ({ succeeded, calls }: Tally): number => succeeded / calls;

async function fleet(count: number): Promise<FaultServer[] & AsyncDisposable> {
  const servers = await Promise.all(Array.from({ length: count }, () => startFaultServer()));
  return Object.assign(servers, {
    [Symbol.asyncDispose]: async () => void (await Promise.all(servers.map((server) => server.close()))),
  });
}

describe.concurrent('over real sockets', () => {
  test('an upstream gets few probes while it is down, and all calls soon after it has recovered', async () => {
    await using upstream = await startFaultServer();
    await using client = createHttpClient({ baseUrl: upstream.url, circuitBreaker: { openMs: 400, maxOpenMs: 800 } });
    expect(shareOf(await load(client, times(100)))).toBe(1);
    await upstream.setFaults([{ fault: refuse() }]);
    const isClosed = (): boolean => (client.stats().policies['circuitBreaker'] as PolicyStats)['state'] === 'closed';
    const first = await load(client, (calls) => isClosed() && calls < 1_000);
    const during = await load(client, forMs(1_200));
    expect([first.succeeded, during.succeeded]).toEqual([0, 0]);
    // Only probes are sent. Their number depends on the time, not on the number of calls.
    expect(during.requests).toBeLessThanOrEqual(12);
    await upstream.setFaults([]);
    // maxOpenMs with its jitter, and a second for the probes.
    await load(client, forMs(800 * 1.2 + 1_000));
    expect(shareOf(await load(client, times(200)))).toBeGreaterThanOrEqual(0.95);
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ state: 'closed' });
  });

  test.each([
    ['refuses', refuse()],
    ['responds with 503', respond(503)],
  ])('one of five endpoints that %s fails hardly a call, and soon gets none', async (_, fault) => {
    await using servers = await fleet(5);
    await using client = createHttpClient({ name: 'orders', endpoints: servers.map(({ url }) => ({ url })) });
    await load(client, times(100));
    await servers[2]?.setFaults([{ fault }]);
    const during = await load(client, times(600));
    expect(shareOf(during)).toBeGreaterThanOrEqual(0.995);
    // 1.23 in the simulation, which has no ejection.
    expect(during.requests / during.calls).toBeLessThan(1.1);
    const before = servers[2]?.stats().requests;
    expect(shareOf(await load(client, times(100)))).toBe(1);
    expect(servers[2]?.stats().requests).toBe(before);
    expect(client.stats().endpoints.filter(({ ejected, circuit }) => ejected || circuit === 'open')).toHaveLength(1);
  });

  test('when all endpoints of a region refuse, its calls go to the next region', async () => {
    await using servers = await fleet(4);
    const endpoints = servers.map(({ url }, i) => ({ url, region: i < 2 ? 'eu' : 'us' }));
    // Circuits that stay open: on a slow machine, probes of the failed endpoints would be counted otherwise.
    const circuitBreaker = { openMs: 60_000, maxOpenMs: 60_000 };
    await using client = createHttpClient({ name: 'orders', endpoints, circuitBreaker });
    await load(client, times(100));
    expect(servers.map(({ requests }) => requests.length > 0)).toEqual([true, true, false, false]);
    await Promise.all(servers.slice(0, 2).map((server) => server.setFaults([{ fault: refuse() }])));
    const during = await load(client, times(400));
    expect(shareOf(during)).toBeGreaterThanOrEqual(0.98);
    const after = await load(client, times(100));
    expect([shareOf(after), after.requests]).toEqual([1, after.calls]);
  });
});
