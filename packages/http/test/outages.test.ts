/**
 * The outages of the simulation, over real sockets and in real time. What is asserted are shares of the calls, and with
 * room: a busy machine makes calls late, but not wrong.
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
  tries: number;
}

/** Calls at their own pace, whatever comes back: about one every 4 ms, for as long as `goesOn` says. */
async function load(client: HttpClient, goesOn: (calls: number) => boolean): Promise<Tally> {
  const tally = { calls: 0, succeeded: 0, tries: -client.stats().attempts };
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
  tally.tries += client.stats().attempts;
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
  test('an upstream that heals is well again soon after, and was left alone meanwhile', async () => {
    await using upstream = await startFaultServer();
    await using client = createHttpClient({ baseUrl: upstream.url, circuitBreaker: { openMs: 400, maxOpenMs: 800 } });
    expect(shareOf(await load(client, times(100)))).toBe(1);
    await upstream.setFaults([{ fault: refuse() }]);
    const isClosed = (): boolean => (client.stats().policies['circuitBreaker'] as PolicyStats)['state'] === 'closed';
    const first = await load(client, (calls) => isClosed() && calls < 1_000);
    const during = await load(client, forMs(1_200));
    expect([first.succeeded, during.succeeded]).toEqual([0, 0]);
    // As in the simulation: probes are all that is sent. How many there are is up to the time, and not to the calls.
    expect(during.tries).toBeLessThanOrEqual(12);
    await upstream.setFaults([]);
    // The longest the circuit may stay open, its jitter, and a second for the probes.
    await load(client, forMs(800 * 1.2 + 1_000));
    expect(shareOf(await load(client, times(200)))).toBeGreaterThanOrEqual(0.95);
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ state: 'closed' });
  });

  test.each([
    ['refuses', refuse()],
    ['answers with 503', respond(503)],
  ])('one of five endpoints that %s costs hardly a call, and soon nothing', async (_, fault) => {
    await using servers = await fleet(5);
    await using client = createHttpClient({ name: 'orders', endpoints: servers.map(({ url }) => ({ url })) });
    await load(client, times(100));
    await servers[2]?.setFaults([{ fault }]);
    const during = await load(client, times(600));
    expect(shareOf(during)).toBeGreaterThanOrEqual(0.995);
    // 1.23 in the simulation, which leaves no endpoint alone.
    expect(during.tries / during.calls).toBeLessThan(1.1);
    const before = servers[2]?.stats().requests;
    expect(shareOf(await load(client, times(100)))).toBe(1);
    expect(servers[2]?.stats().requests).toBe(before);
    expect(client.stats().endpoints.filter(({ ejected, circuit }) => ejected || circuit === 'open')).toHaveLength(1);
  });

  test('when a region dies its calls go to the next one', async () => {
    await using servers = await fleet(4);
    const endpoints = servers.map(({ url }, i) => ({ url, region: i < 2 ? 'eu' : 'us' }));
    await using client = createHttpClient({ name: 'orders', endpoints });
    await load(client, times(100));
    expect(servers.map(({ requests }) => requests.length > 0)).toEqual([true, true, false, false]);
    await Promise.all(servers.slice(0, 2).map((server) => server.setFaults([{ fault: refuse() }])));
    const during = await load(client, times(400));
    expect(shareOf(during)).toBeGreaterThanOrEqual(0.98);
    const after = await load(client, times(100));
    expect([shareOf(after), after.tries]).toEqual([1, after.calls]);
  });
});
