import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { runWork } from '@macadam/core';
import { bulkhead, consecutiveFailures, constant, retry, slowCallRate, timeout } from '@macadam/resilience';
import { seededRandom, startFaultServer, virtualClock, type FaultServer } from '@macadam/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequestError,
  type HttpResponse,
} from '../src/index.ts';
import type { DispatchHandler, DispatchOptions, HttpDispatcher } from '../src/dispatcher.ts';
import { failure } from './client-helpers.ts';

const promptRetry = { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0, budget: false } as const;

/** A service without sockets: `answer` returns the status for a host and path; 0 refuses the connection. */
function fleet(answer: (host: string, path: string) => number, headers: Record<string, string> = {}) {
  const sent: string[] = [];
  const clock = virtualClock();
  /** The latency of a host in milliseconds. Default: 0. */
  const delays = new Map<string, number>();
  const dispatch = ({ origin, path }: DispatchOptions, handler: DispatchHandler): boolean => {
    const { host } = new URL(String(origin));
    sent.push(host);
    const status = answer(host, path);
    const delayMs = delays.get(host) ?? 0;
    queueMicrotask(() => {
      if (status === 0) {
        handler.onResponseError?.(controller, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
        return;
      }
      handler.onRequestStart?.(controller, null);
      const end = (): void => {
        handler.onResponseStart?.(controller, status, headers, '');
        handler.onResponseEnd?.(controller, {});
      };
      if (delayMs === 0) end();
      else clock.setTimer(end, delayMs);
    });
    return true;
  };
  const controller = { aborted: false, paused: false, reason: null, pause() {}, resume() {}, abort() {} } as never;
  const dispatcher = { dispatch } as unknown as HttpDispatcher;
  const client = (options: Partial<HttpClientOptions>): HttpClient =>
    createHttpClient({ dispatcher, clock, random: seededRandom(7), retry: promptRetry, name: 'orders', ...options });
  const count = (host: string): number => sent.filter((one) => one === host).length;
  const get = (of: HttpClient): Promise<HttpResponse> => clock.runUntil(of.get('/a'));
  const calls = async (of: HttpClient, times: number): Promise<number> => {
    let good = 0;
    for (let i = 0; i < times; i++)
      await get(of).then(
        () => good++,
        () => {},
      );
    return good;
  };
  return { client, sent, clock, count, get, calls, delays };
}

const hosts = (count: number): { url: string }[] =>
  Array.from({ length: count }, (_, i) => ({ url: `http://h${i}.internal` }));

describe('choosing an endpoint', () => {
  test('spreads calls by weight', async () => {
    const { client, count, calls } = fleet(() => 200);
    const endpoints = [{ url: 'http://a.internal', weight: 3 }, { url: 'http://b.internal' }];
    await calls(client({ endpoints }), 4_000);
    expect(count('a.internal') / 4_000).toBeCloseTo(0.75, 1);
  });

  test('each attempt goes to an endpoint that the call has not attempted, and records it', async () => {
    const { client, get } = fleet((host) => (host === 'h2.internal' ? 200 : 503));
    const orders = client({ endpoints: hosts(3), circuitBreaker: false, outlierEjection: false });
    for (let i = 0; i < 20; i++) {
      const { attempts } = await get(orders);
      const tried = attempts.map(({ endpoint }) => endpoint);
      expect(new Set(tried).size).toBe(tried.length);
      expect(tried.at(-1)).toBe('h2.internal:80');
    }
  });

  test('an attempt after a failure prefers another zone', async () => {
    const { client, get } = fleet((host) => (host.startsWith('a') ? 503 : 200));
    const endpoints = [1, 2, 3, 4].flatMap((i) => [
      { url: `http://a${i}.internal`, zone: 'a' },
      { url: `http://b${i}.internal`, zone: 'b' },
    ]);
    const retry = { ...promptRetry, maxAttempts: 9 };
    const orders = client({ endpoints, retry, circuitBreaker: false, outlierEjection: false });
    const second: string[] = [];
    for (let i = 0; i < 200; i++) second.push((await get(orders)).attempts[1]?.endpoint ?? '');
    const after = second.filter((endpoint) => endpoint !== '');
    expect(after.length).toBeGreaterThan(20);
    // Only when both drawn endpoints are in the failed zone is that zone used again.
    expect(after.filter((endpoint) => endpoint.startsWith('b')).length / after.length).toBeGreaterThan(0.7);
  });

  test('an endpoint that has not responded yet gets few calls', async () => {
    const { client, clock, count, delays } = fleet(() => 200);
    delays.set('h0.internal', 5_000);
    for (let i = 1; i < 5; i++) delays.set(`h${i}.internal`, 5);
    const orders = client({ endpoints: hosts(5), hedge: false, bulkhead: false });
    const all: Promise<unknown>[] = [];
    for (let i = 0; i < 200; i++) {
      all.push(orders.get('/a'));
      await clock.advance(1);
    }
    // It is picked only when both draws are of it: one call in 25 instead of nine.
    expect(count('h0.internal')).toBeLessThan(20);
    await clock.runUntil(Promise.all(all));
  });

  test('of two endpoints, a hung one gets a few calls, not every fourth', async () => {
    const { client, clock, count, delays, sent } = fleet(() => 200);
    for (const { url } of hosts(2)) delays.set(new URL(url).host, 5);
    const orders = client({ endpoints: hosts(2) });
    const load = async (): Promise<Promise<unknown>[]> => {
      const all: Promise<unknown>[] = [];
      for (let i = 0; i < 200; i++) {
        all.push(orders.get('/a'));
        await clock.advance(10);
      }
      return all;
    };
    await clock.runUntil(Promise.all(await load()));
    delays.set('h0.internal', 60_000);
    sent.length = 0;
    const all = await load();
    expect(count('h0.internal')).toBeLessThan(10);
    await clock.runUntil(Promise.allSettled(all));
  });

  test.each([100, 0.01, 1e308])('weights are relative: %d for each is the same as none', async (weight) => {
    const orderOf = async (endpoints: { url: string; weight?: number }[]): Promise<string[]> => {
      const { client, clock, delays, sent } = fleet(() => 200);
      for (const { url } of endpoints) delays.set(new URL(url).host, 100);
      const orders = client({ endpoints });
      const all: Promise<unknown>[] = [];
      for (let i = 0; i < 500; i++) {
        all.push(orders.get('/a'));
        await clock.advance(1);
      }
      await clock.runUntil(Promise.all(all));
      return sent;
    };
    expect(await orderOf(hosts(3).map((one) => ({ ...one, weight })))).toEqual(await orderOf(hosts(3)));
  });

  test('an endpoint that loses against every hedge is known to be slow', async () => {
    const { client, clock, count, delays, get, sent } = fleet(() => 200);
    delays.set('h0.internal', 2_000);
    for (let i = 1; i < 5; i++) delays.set(`h${i}.internal`, 20);
    const orders = client({ endpoints: hosts(5), hedge: { delayMs: 50, maxExtraLoad: 1 } });
    for (let i = 0; i < 300; i++) {
      await get(orders);
      await clock.advance(50);
    }
    // A fifth of the calls, each with a hedge, if the latency of losers were not recorded.
    expect(count('h0.internal') / sent.length).toBeLessThan(0.1);
  });

  test('an endpoint that responds with 429 fast gets fewer calls, not more, and does not count as failed', async () => {
    const { client, clock, count, delays, get, sent } = fleet((host) => (host === 'h0.internal' ? 429 : 200));
    delays.set('h0.internal', 1);
    for (let i = 1; i < 5; i++) delays.set(`h${i}.internal`, 20);
    const orders = client({ endpoints: hosts(5) });
    for (let i = 0; i < 500; i++) {
      await get(orders);
      await clock.advance(100);
    }
    expect(count('h0.internal') / sent.length).toBeLessThan(0.15);
    expect(orders.stats().endpoints[0]).toMatchObject({ failures: 0, ejected: false, circuit: 'closed' });
  });

  describe('with an adaptive limit of one per endpoint', () => {
    const limited = { adaptiveConcurrency: { min: 1, max: 1 }, retry: false, outlierEjection: true } as const;
    const slow = (of: ReturnType<typeof fleet>, endpoints: readonly { url: string }[]): void => {
      for (const { url } of endpoints) of.delays.set(new URL(url).host, 100);
    };
    const atOnce = async ({ clock }: ReturnType<typeof fleet>, of: HttpClient, calls: number): Promise<unknown[]> => {
      const all = Array.from({ length: calls }, () => of.get('/a').catch(({ code }: { code: string }) => code));
      const ended = await clock.runUntil(Promise.all(all));
      return ended.filter((one) => typeof one === 'string');
    };

    test('an endpoint at its limit is not picked while another has room; then calls are refused', async () => {
      const service = fleet(() => 200);
      slow(service, hosts(4));
      const orders = service.client({ ...limited, endpoints: hosts(4) });
      for (let i = 0; i < 10; i++) expect(await atOnce(service, orders, 4)).toEqual([]);
      expect(await atOnce(service, orders, 5)).toEqual(['MAC_CONCURRENCY_LIMITED']);
    });

    test('the next region takes the overflow, and an ejected endpoint does not', async () => {
      const service = fleet((host) => (host === 'h0.internal' && service.clock.monotonic() === 0 ? 500 : 200));
      const endpoints = hosts(4).map((one, i) => ({ ...one, region: i < 3 ? 'eu' : 'us' }));
      const orders = service.client({ ...limited, endpoints });
      while (service.count('h0.internal') < 5) await service.calls(orders, 1);
      slow(service, endpoints);
      await service.clock.advance(1);
      service.sent.length = 0;
      expect(await atOnce(service, orders, 4)).toEqual(['MAC_CONCURRENCY_LIMITED']);
      expect(service.sent.sort()).toEqual(['h1.internal', 'h2.internal', 'h3.internal']);
    });

    test('a region that is down takes no overflow', async () => {
      const service = fleet((host) => (host === 'h0.internal' ? 500 : 200));
      const endpoints = hosts(2).map((one, i) => ({ ...one, region: i < 1 ? 'eu' : 'us' }));
      const orders = service.client({ ...limited, circuitBreaker: false, outlierEjection: false, endpoints });
      while (orders.stats().regions[0]?.state !== 'down') await service.calls(orders, 1);
      slow(service, endpoints);
      service.sent.length = 0;
      expect(await atOnce(service, orders, 2)).toEqual(['MAC_CONCURRENCY_LIMITED']);
      expect(service.sent).toEqual(['h1.internal']);
    });
  });

  test('each endpoint has its own path prefix', async () => {
    const paths: string[] = [];
    const { client, calls } = fleet((host, path) => (paths.push(host + path), 200));
    const endpoints = [{ url: 'http://a.internal/v1/' }, { url: 'http://b.internal' }];
    await calls(client({ endpoints }), 20);
    expect(new Set(paths)).toEqual(new Set(['a.internal/v1/a', 'b.internal/a']));
  });
});

test('an error names the endpoint of the last attempt, not the first of the list', async () => {
  const responses: Record<string, number> = {
    'h1.internal': 0,
    'h2.internal': 404,
    'h3.internal': 200,
    'h4.internal': 200,
  };
  const { client, clock, delays } = fleet((host) => responses[host] ?? 200);
  delays.set('h4.internal', 60_000);
  const schema = z.object({ id: z.number() });
  for (const [host, code] of [
    ['h1', 'MAC_HTTP_NETWORK'],
    ['h2', 'MAC_HTTP_STATUS'],
    ['h3', 'MAC_HTTP_DECODE'],
    ['h4', 'MAC_TIMEOUT'],
  ]) {
    const orders = client({ endpoints: async () => [{ url: `http://${host}.internal/v2` }], retry: false });
    const call = orders.get('/a/{id}', { params: { id: 7 }, schema, timeoutMs: 500 });
    const url = `http://${host}.internal/v2/a/{id}`;
    await expect(clock.runUntil(call)).rejects.toMatchObject({
      code,
      url,
      message: expect.stringContaining(url) as string,
    });
  }
});

describe('endpoints that fail', () => {
  test('5 failures in a row eject an endpoint for 30 s; then it is used again', async () => {
    let broken = true;
    const { client, count, clock, calls } = fleet((host) => (host === 'h0.internal' && broken ? 500 : 200));
    const orders = client({ endpoints: hosts(5), circuitBreaker: false });
    expect(await calls(orders, 200)).toBe(200);
    expect(count('h0.internal')).toBe(5);
    const why = { endpoint: 'h0.internal:80', ejections: 1, ejectionReason: 'consecutiveFailures' };
    await clock.advance(10_000);
    expect(orders.stats().endpoints.filter(({ ejected }) => ejected)).toMatchObject([
      { ...why, ejectionLeftMs: 20_000 },
    ]);
    broken = false;
    await clock.advance(20_000);
    expect(await calls(orders, 200)).toBe(200);
    expect(count('h0.internal')).toBeGreaterThan(5);
    expect(orders.stats().endpoints.some(({ ejected }) => ejected)).toBe(false);
    expect(orders.stats().endpoints[0]).toMatchObject({ ...why, ejectionLeftMs: 0 });
    expect(orders.stats().balancing?.ejections).toEqual({ consecutiveFailures: 1, failureRate: 0, successRate: 0 });
  });

  test('an ejected endpoint is used when the circuits of all others are open', async () => {
    let broken = 'h0.internal';
    const { client, clock, calls } = fleet((host) => (host === broken ? 500 : 200));
    const orders = client({ endpoints: hosts(2) });
    expect(await calls(orders, 50)).toBe(50);
    broken = 'h1.internal';
    // By now the circuit of the first one admits a probe, and it is still ejected.
    await clock.advance(7_000);
    await calls(orders, 50);
    expect(orders.stats().endpoints).toMatchObject([{ ejected: true }, { ejected: false, circuit: 'open' }]);
    expect(await calls(orders, 100)).toBe(100);
  });

  test.each<[how: string, options: Partial<HttpClientOptions>]>([
    ['ejected', { circuitBreaker: false }],
    ['behind an open circuit', { outlierEjection: false }],
    ['behind an open circuit shared by its routes', { outlierEjection: false, adaptiveConcurrency: { per: 'route' } }],
  ])('a region whose only endpoint is %s is on standby while the next one is active', async (_how, options) => {
    let broken = true;
    const { client, clock, calls } = fleet((host) => (host === 'h0.internal' && broken ? 500 : 200));
    const endpoints = hosts(2).map((one, i) => ({ ...one, region: i === 0 ? 'eu' : 'us' }));
    const circuitBreaker = { trip: [consecutiveFailures({ count: 5 })], openMs: 30_000 };
    const orders = client({ endpoints, circuitBreaker, ...options });
    const states = (): unknown[] => orders.stats().regions.map(({ state }) => state);
    await calls(orders, 1);
    expect(states()).toEqual(['active', 'standby']);
    await calls(orders, 9);
    expect(states()).toEqual(['standby', 'active']);
    broken = false;
    await clock.advance(60_000);
    expect(states()).toEqual(['active', 'standby']);
  });

  test('the first healthy region stays active when no endpoint is in use', async () => {
    const { client, calls } = fleet(() => 500);
    const orders = client({ endpoints: hosts(1).map((one) => ({ ...one, region: 'eu' })), retry: false });
    await calls(orders, 9);
    expect(orders.stats()).toMatchObject({ endpoints: [{ circuit: 'open' }], regions: [{ state: 'active' }] });
  });

  test('at most a tenth of the endpoints, at least one, is ejected; circuits stop the others', async () => {
    const { client, calls } = fleet((host) => (/h[0-4]\./.test(host) ? 500 : 200));
    const orders = client({ endpoints: hosts(10) });
    expect(await calls(orders, 300)).toBeGreaterThan(290);
    const { endpoints } = orders.stats();
    expect(endpoints.filter(({ ejected }) => ejected)).toHaveLength(1);
    const circuits = endpoints.map(({ circuit }) => circuit);
    expect(circuits.slice(5).every((circuit) => circuit === 'closed' || circuit === undefined)).toBe(true);
    expect(circuits.slice(0, 5).filter((circuit) => circuit === 'open').length).toBeGreaterThanOrEqual(3);
  });

  test('the only endpoint is never ejected', async () => {
    const { client, sent, calls } = fleet(() => 500);
    const orders = client({ endpoints: hosts(1), circuitBreaker: false, retry: false });
    await calls(orders, 20);
    expect(sent).toHaveLength(20);
    expect(orders.stats().endpoints).toMatchObject([{ ejected: false, calls: 20, failures: 20 }]);
  });

  test("an endpoint whose circuit was opened by the user's own rules is not used", async () => {
    const { client, count, get, delays } = fleet(() => 200);
    delays.set('h0.internal', 300);
    const trip = [slowCallRate({ slowerThanMs: 100, minimumCalls: 3 })];
    const orders = client({ endpoints: hosts(2), circuitBreaker: { trip } });
    for (let i = 0; i < 200; i++) await get(orders);
    expect(orders.stats().endpoints).toMatchObject([{ circuit: 'open', failures: 0 }, { circuit: 'closed' }]);
    expect(count('h0.internal')).toBeLessThan(20);
  });

  test('short timeouts and cancellations of callers do not count against an endpoint', async () => {
    const { client, clock, delays } = fleet(() => 200);
    delays.set('h0.internal', 50);
    delays.set('h1.internal', 50);
    const orders = client({ endpoints: hosts(2) });
    for (let i = 0; i < 20; i++) {
      const hasty = runWork({ timeoutMs: 20, clock }, () => orders.get('/a'));
      await clock.runUntil(Promise.allSettled([hasty]));
      const abort = new AbortController();
      const left = orders.get('/a', { signal: abort.signal });
      await clock.advance(10);
      abort.abort(Object.assign(new Error('left'), { code: 'ECONNRESET' }));
      await clock.runUntil(Promise.allSettled([left]));
    }
    for (const endpoint of orders.stats().endpoints) {
      expect(endpoint).toMatchObject({ ejected: false, failures: 0, inFlight: 0, circuit: 'closed' });
    }
  });

  test('a lookup that fails without a code counts as a failure for the endpoint and its circuit', async () => {
    const clock = virtualClock();
    const dispatch = ({ origin }: DispatchOptions, handler: DispatchHandler): boolean => {
      if (String(origin).includes('h0')) handler.onResponseError?.({} as never, new Error('no such name'));
      else {
        handler.onResponseStart?.({} as never, 200, {}, '');
        handler.onResponseEnd?.({} as never, {});
      }
      return true;
    };
    const dispatcher = { dispatch } as unknown as HttpDispatcher;
    const orders = createHttpClient({ endpoints: hosts(2), dispatcher, clock, random: seededRandom(7), retry: false });
    let bad = 0;
    for (let i = 0; i < 100; i++) await orders.get('/a').catch(() => bad++);
    expect(bad).toBe(5);
    expect(orders.stats().endpoints[0]).toMatchObject({ failures: 5, ejected: true });
  });

  test.each([
    ['in one region', hosts(2)],
    ['in two regions', hosts(2).map((one, i) => ({ ...one, region: `r${i}` }))],
  ])('of two endpoints that are down in turn, %s, the healthy one is found at once', async (_, endpoints) => {
    const PERIOD_MS = 10_000;
    const { client, clock, calls } = fleet((host) =>
      host === `h${Math.floor(clock.monotonic() / PERIOD_MS) % 2}.internal` ? 500 : 200,
    );
    const orders = client({ endpoints });
    let good = 0;
    for (let i = 0; i < 1_000; i++) {
      good += await calls(orders, 1);
      await clock.advance(100);
    }
    expect(good).toBeGreaterThan(970);
  });

  test('calls move from a failing region to the next, and back only after good probes', async () => {
    let down = true;
    const { client, count, clock, sent, calls } = fleet((host) => (host.startsWith('eu') && down ? 0 : 200));
    const endpoints = ['eu1', 'eu2', 'us1', 'us2'].map((host) => ({
      url: `http://${host}.internal`,
      region: host.slice(0, 2),
    }));
    const orders = client({ endpoints });
    const states = (): (string | undefined)[] => orders.stats().regions.flatMap((one) => [one.region, one.state]);
    expect(states()).toEqual(['eu', 'active', 'us', 'standby']);
    expect(await calls(orders, 100)).toBe(100);
    expect(states()).toEqual(['eu', 'down', 'us', 'active']);
    const during = count('eu1.internal') + count('eu2.internal');
    expect(during).toBeLessThan(30);
    await clock.advance(60_000);
    expect(orders.stats().regions[0]?.downForMs).toBe(60_000);
    expect(orders.stats().balancing).toMatchObject({ regionsWentDown: 1, regionsCameBack: 0 });
    expect(await calls(orders, 100)).toBe(100);
    const probes = count('eu1.internal') + count('eu2.internal') - during;
    expect(probes).toBeLessThan(10);
    down = false;
    await clock.advance(300_000);
    await calls(orders, 400);
    sent.length = 0;
    expect(await calls(orders, 50)).toBe(50);
    expect(count('us1.internal') + count('us2.internal')).toBe(0);
  });

  test('a region recovers even if no call may be repeated', async () => {
    let down = true;
    const { client, count, clock, sent } = fleet((host) => (host === 'h0.internal' && down ? 0 : 200));
    const endpoints = hosts(2).map(({ url }, i) => ({ url, region: i === 0 ? 'eu' : 'us' }));
    const orders = client({ endpoints, circuitBreaker: false, outlierEjection: false });
    const post = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) await clock.runUntil(orders.post('/a', { json: 1 }));
    };
    await post(50);
    down = false;
    sent.length = 0;
    await clock.advance(30_000);
    await post(200);
    expect(count('h0.internal'), 'repeatable calls probe first').toBe(0);
    await clock.advance(30_000);
    await post(400);
    sent.length = 0;
    await post(20);
    expect(count('h0.internal')).toBe(20);
  });

  test('when all regions are down, an attempt goes to an endpoint that the call has not attempted', async () => {
    let broken = /./;
    const { client, calls, get } = fleet((host) => (broken.test(host) ? 500 : 200));
    const endpoints = hosts(3).map(({ url }, i) => ({ url, region: i < 2 ? 'eu' : 'us' }));
    const orders = client({ endpoints, circuitBreaker: false, outlierEjection: false });
    await calls(orders, 40);
    broken = /h[01]/;
    expect((await get(orders)).attempts.at(-1)).toMatchObject({ attempt: 3, endpoint: 'h2.internal:80' });
  });

  test.each([
    { status: 503, name: 'after Retry-After of one endpoint, the next attempt goes to another at once', waitedMs: 0 },
    { status: 429, name: 'Retry-After with a 429 applies to all endpoints', waitedMs: 30_000 },
  ])('$name', async ({ status, waitedMs }) => {
    let first = '';
    const { client, clock, get } = fleet((host) => (host === (first ||= host) ? status : 200), { 'retry-after': '30' });
    const { attempts } = await get(client({ endpoints: hosts(3), timeoutMs: 60_000 }));
    expect(attempts.map((one) => one.status)).toEqual([status, 200]);
    expect(attempts[1]?.waitedMs).toBe(waitedMs);
    expect(clock.monotonic()).toBe(waitedMs);
  });

  test('after Retry-After of one endpoint, the next attempt goes to another at once, also when all regions are down', async () => {
    let isUp = (_host: string): boolean => false;
    const { client, get, calls, clock } = fleet((host) => (isUp(host) ? 200 : 503), { 'retry-after': '30' });
    const orders = client({ endpoints: hosts(3), circuitBreaker: false, outlierEjection: false, timeoutMs: 60_000 });
    await calls(orders, 40);
    expect(orders.stats().regions).toMatchObject([{ state: 'down' }]);
    const before = clock.monotonic();
    let first = '';
    isUp = (host) => host !== (first ||= host);
    expect((await get(orders)).attempts).toMatchObject([{ status: 503 }, { status: 200, waitedMs: 0 }]);
    expect(clock.monotonic()).toBe(before);
  });

  test('after Retry-After of all endpoints, none is sent an attempt before its time', async () => {
    const { client, get, sent } = fleet(() => 503, { 'retry-after': '3' });
    const orders = client({ endpoints: hosts(2) });
    await expect(get(orders)).rejects.toMatchObject({ attempts: [{}, { waitedMs: 0 }, { waitedMs: 3_000 }] });
    expect(new Set(sent.slice(0, 2)).size).toBe(2);
  });

  test('calls are refused at once when all circuits are open', async () => {
    const { client, sent, get, calls } = fleet(() => 500);
    const orders = client({ endpoints: hosts(2) });
    await calls(orders, 30);
    const before = sent.length;
    await expect(get(orders)).rejects.toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    expect(sent).toHaveLength(before);
  });
});

describe('endpoints from a function', () => {
  test('are fetched before the first call, and again after 30 s', async () => {
    const { client, clock, sent } = fleet(() => 200);
    let asked = 0;
    const endpoints = async () => [{ url: `http://v${++asked}.internal` }];
    const orders = client({ endpoints });
    await Promise.all([orders.get('/a'), orders.get('/a')]);
    await clock.advance(29_999);
    await orders.get('/a');
    expect(asked).toBe(1);
    await clock.advance(1);
    // The refresh is not awaited: the call goes to the current list.
    await orders.get('/a');
    await orders.get('/a');
    expect(sent).toEqual(['v1.internal', 'v1.internal', 'v1.internal', 'v1.internal', 'v2.internal']);
  });

  test('that never come leave timeout and cancellation of the call intact, and the wait counts towards its timeout', async () => {
    const { client, clock, sent } = fleet(() => 200);
    const never = client({ endpoints: () => new Promise(() => {}), timeoutMs: 500 });
    await expect(clock.runUntil(never.get('/a'))).rejects.toMatchObject({
      code: 'MAC_TIMEOUT',
      message: 'GET http://orders.invalid/a was not sent within 500 ms',
    });
    expect(clock.monotonic()).toBe(500);
    const abort = new AbortController();
    const left = never.get('/a', { signal: abort.signal }).catch((error: unknown) => error);
    abort.abort('left');
    expect(await left).toBe('left');
    const late = client({ endpoints: () => clock.sleep(400).then(() => hosts(1)), timeoutMs: 500 });
    await clock.runUntil(late.get('/a'));
    expect(sent).toEqual(['h0.internal']);
    clock.assertNoTimers();
  });

  test('that hang are fetched again after 30 s, and a late list does not replace a newer one', async () => {
    const { client, clock, sent } = fleet(() => 200);
    const responses: ((list: { url: string }[]) => void)[] = [];
    const endpoints = () => new Promise<{ url: string }[]>((resolve) => responses.push(resolve));
    const orders = client({ endpoints, timeoutMs: 1_000 });
    await expect(clock.runUntil(orders.get('/a'))).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(29_000);
    const next = orders.get('/a');
    await Promise.resolve();
    expect(responses).toHaveLength(2);
    responses[1]?.([{ url: 'http://new.internal' }]);
    await clock.runUntil(next);
    responses[0]?.([{ url: 'http://old.internal' }]);
    await clock.runUntil(orders.get('/a'));
    expect(sent).toEqual(['new.internal', 'new.internal']);
  });

  test('are used for calls that wait for an earlier list, which never comes', async () => {
    const { client, clock, sent } = fleet(() => 200);
    let asked = 0;
    const endpoints = () => (++asked === 1 ? new Promise<never>(() => {}) : hosts(1));
    const orders = client({ endpoints, timeoutMs: 60_000 });
    const first = orders.get('/1');
    await clock.advance(30_000);
    await orders.get('/2');
    expect((await first).status).toBe(200);
    expect([sent.length, clock.monotonic()]).toEqual([2, 30_000]);
  });

  test('that leave the list finish their calls in flight, and no longer count as ejected', async () => {
    let broken = 'none';
    const { client, clock, delays, calls, get } = fleet((host) => (host === broken ? 500 : 200));
    let list = hosts(5);
    const limits = { timeoutMs: 120_000, attemptTimeoutMs: 60_000 };
    const orders = client({ endpoints: () => list, circuitBreaker: false, ...limits });
    await get(orders);
    delays.set('h1.internal', 50_000);
    const slow = Array.from({ length: 40 }, () => orders.get('/a'));
    await clock.advance(29_000);
    delays.clear();
    broken = 'h0.internal';
    await calls(orders, 300);
    expect(orders.stats().endpoints[0]).toMatchObject({ endpoint: 'h0.internal:80', ejected: true });
    list = hosts(5).slice(2).reverse();
    broken = 'h2.internal';
    await clock.advance(1_000);
    await calls(orders, 300);
    expect(orders.stats().endpoints).toMatchObject([
      { endpoint: 'h4.internal:80', ejected: false },
      { endpoint: 'h3.internal:80', ejected: false },
      { endpoint: 'h2.internal:80', ejected: true },
    ]);
    await clock.runUntil(Promise.all(slow));
    expect(orders.stats().endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  test('that become few have at most a tenth, at least one, still ejected', async () => {
    const { client, clock, calls } = fleet((host) => (/h[01]\./.test(host) && clock.monotonic() > 0 ? 500 : 200));
    let list = hosts(20);
    const orders = client({ endpoints: () => list, circuitBreaker: false });
    await calls(orders, 1);
    await clock.advance(15_000);
    await calls(orders, 2_000);
    const ejected = (): number => orders.stats().endpoints.filter((one) => one.ejected).length;
    expect(ejected()).toBe(2);
    list = hosts(4);
    await clock.advance(15_000);
    await calls(orders, 2);
    expect(ejected()).toBe(1);
  });

  test('that return to the list with an open circuit are not used', async () => {
    const { client, clock, calls, get } = fleet((host) => (host === 'h0.internal' ? 500 : 200));
    let list = hosts(2);
    const circuitBreaker = { openMs: 300_000 };
    const orders = client({ endpoints: () => list, circuitBreaker, outlierEjection: false });
    await calls(orders, 50);
    expect(orders.stats().endpoints[0]?.circuit).toBe('open');
    for (const next of [hosts(2).slice(1), hosts(2)]) {
      list = next;
      await clock.advance(30_000);
      await get(orders);
    }
    expect(await calls(orders, 50)).toBe(50);
  });

  test('that cannot be fetched fail the first call; later failures keep the list and warn once', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { client, clock, sent } = fleet(() => 200);
    const noRegistry = new Error('no registry');
    let works = false;
    const endpoints = () => (works ? hosts(1) : Promise.reject(noRegistry));
    const orders = client({ endpoints });
    await expect(orders.get('/a')).rejects.toBe(noRegistry);
    works = true;
    await orders.get('/a');
    works = false;
    await clock.advance(60_000);
    await orders.get('/a');
    await clock.advance(60_000);
    await orders.get('/a');
    expect(sent).toHaveLength(3);
    const warning = 'endpoints() of the client "orders" failed, and its last list stays in use: no registry';
    expect(warned.mock.calls).toEqual([[warning]]);
    warned.mockRestore();
  });

  describe('that cannot be fetched because another call failed', () => {
    const status = () =>
      fleet(() => 404)
        .client({ baseUrl: 'http://registry.internal' })
        .get('/list');
    const exhausted = () =>
      retry({ budget: false, maxAttempts: 2, backoff: constant({ delayMs: 0 }), retryIf }).execute(status);
    const retryIf = () => true;
    const late = () => timeout({ timeoutMs: 1 }).execute(() => new Promise<never>(() => {}));
    const refused = async () => {
      const places = bulkhead({ maxConcurrent: 1 });
      void places.execute(() => new Promise(() => {}));
      return places.execute(status);
    };

    test.each<[string, () => Promise<unknown>]>([
      ['HttpStatusError', status],
      ['AttemptsExhaustedError', exhausted],
      ['TimeoutError', late],
      ['BulkheadFullError', refused],
    ])('have its error as cause, and its response is none to this call: %s', async (name, fail) => {
      const cause = (await failure(fail())) as Error;
      expect(cause.name).toBe(name);
      const before = inspect(cause);
      for (const kind of [
        {},
        { dedupe: true },
        { cache: { mode: 'private' } },
      ] satisfies Partial<HttpClientOptions>[]) {
        const { client, clock } = fleet(() => 200);
        const endpoints = () => Promise.reject(cause);
        const orders = client({ endpoints, throwOnStatus: false, ...kind });
        expect(await failure(orders.get('/a', { signal: AbortSignal.abort('left') }))).toBe('left');
        for (const call of [orders.get('/a'), orders.fetch('/a'), orders.stream('GET', '/a')]) {
          const error = await clock.runUntil(failure(call));
          expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'endpoints', attempts: [] });
          expect((error as HttpRequestError).cause).toBe(cause);
        }
      }
      expect(inspect(cause)).toBe(before);
    });
  });
});

test.each<[string, Partial<HttpClientOptions>, string]>([
  ['an empty list', { endpoints: [] }, 'endpoints'],
  ['with baseUrl', { endpoints: hosts(1), baseUrl: 'http://a.internal' }, 'baseUrl'],
  ['two at the same host', { endpoints: [...hosts(1), ...hosts(1)] }, 'endpoints[1].url'],
  ['two at the same port', { endpoints: [{ url: 'http://a:443' }, { url: 'https://a' }] }, 'endpoints[1].url'],
  ['a weight of 0', { endpoints: [{ url: 'http://a', weight: 0 }] }, 'endpoints[0].weight'],
  ['an unknown option', { endpoints: [{ url: 'http://a', priority: 1 } as never] }, 'endpoints[0].priority'],
  ['a limit kept by endpoint', { endpoints: hosts(1), adaptiveConcurrency: { min: 0 } }, 'adaptiveConcurrency.min'],
  ['a function without a name', { endpoints: () => hosts(1), name: undefined as never }, 'name'],
])('rejects wrong endpoints: %s', (_what, options, path) => {
  expect(() => fleet(() => 200).client(options)).toThrow(expect.objectContaining({ path: `createHttpClient.${path}` }));
});

test('a redirect to an endpoint that a hedge is sent to meanwhile does not count there', async () => {
  const { client, clock, delays, get } = fleet((host) => (isRedirecting && host === 'h0.internal' ? 307 : 200), {
    location: 'http://h1.internal/b',
  });
  let isRedirecting = false;
  const hedge = { delayMs: 30, maxExtraLoad: 1, maxHedges: 1 };
  const options = { outlierEjection: false, redirects: { crossOrigin: true }, hedge };
  const orders = client({ endpoints: hosts(2), ...options });
  for (let i = 0; i < 20; i++) await get(orders);
  isRedirecting = true;
  delays.set('h1.internal', 120);
  for (let i = 0; i < 20; i++) await get(orders);
  await clock.advance(1_000);
  expect(orders.stats().endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
});

test('picking does not scan the list: 10,000 endpoints need as many draws as 10', async () => {
  const draws = async (size: number): Promise<number> => {
    let drawn = 0;
    const random = seededRandom(7);
    const { client, calls } = fleet(() => 200);
    await calls(client({ endpoints: hosts(size), random: () => (drawn++, random()) }), 100);
    return drawn;
  };
  expect(await draws(10_000)).toBeLessThanOrEqual(await draws(10));
});

describe('over real sockets', () => {
  const servers: FaultServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  test('with one endpoint of five failing nine calls in ten, at least 99.5 % of the calls succeed', async () => {
    for (let i = 0; i < 5; i++) {
      let served = 0;
      const handle = (): { status: number } => ({ status: i === 0 && served++ % 10 < 9 ? 503 : 200 });
      servers.push(await startFaultServer({ handle }));
    }
    const client = createHttpClient({
      endpoints: servers.map(({ url }) => ({ url })),
      random: seededRandom(1),
      retry: { backoff: constant({ delayMs: 1 }), throttledBaseMs: 0 },
    });
    let good = 0;
    for (let batch = 0; batch < 100; batch++) {
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => client.get('/a')));
      good += results.filter(({ status }) => status === 'fulfilled').length;
    }
    expect(good / 1_000).toBeGreaterThanOrEqual(0.995);
    expect(client.stats().endpoints[0]).toMatchObject({ ejected: true });
    expect(servers[0]?.requests.length).toBeLessThan(100);
    await client.close();
    await Promise.all(servers.map((server) => server.waitUntil(({ openConnections }) => openConnections === 0)));
  });

  test('many stale connections at once, as after a restart, open no circuit and eject no endpoint', async () => {
    let old = new WeakSet<object>();
    let seen = new WeakSet<object>();
    const upstream = createServer(({ socket }, response) => {
      if (old.has(socket)) return void socket.resetAndDestroy();
      seen.add(socket);
      setImmediate(() => response.end());
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const several: HttpClientOptions = { name: 'orders', endpoints: [{ url }, { url: `http://localhost:${port}` }] };
    for (const options of [{ baseUrl: url }, several]) {
      const client = createHttpClient(options);
      const calls = (): Promise<unknown> => Promise.all(Array.from({ length: 40 }, () => client.get('/a')));
      await calls();
      [old, seen] = [seen, new WeakSet()];
      await calls();
      const { policies, endpoints } = client.stats();
      expect((policies['retry'] as { transparent: number }).transparent).toBeGreaterThan(20);
      expect(policies['circuitBreaker'] ?? { state: 'closed', failures: 0 }).toMatchObject({
        state: 'closed',
        failures: 0,
      });
      for (const one of endpoints) expect(one).toMatchObject({ failures: 0, ejected: false, circuit: 'closed' });
      await client.close();
    }
    await new Promise((done) => upstream.close(done));
  });

  test('an unreachable endpoint is retried at another, for any method', async () => {
    servers.push(await startFaultServer(), await startFaultServer());
    await servers[0]?.close();
    const client = createHttpClient({ endpoints: servers.map(({ url }) => ({ url })), retry: promptRetry });
    for (let i = 0; i < 20; i++) await client.post('/a', { json: 1 });
    expect(servers[1]?.requests).toHaveLength(20);
    await client.close();
  });
});

test('an endpoint that leaves the list while a call to it waits for credentials is still called, then closed', async () => {
  const server = await startFaultServer();
  const clock = virtualClock();
  let list = [{ url: server.url }];
  let authorize = (): void => {};
  const prepared = new Promise<void>((resolve) => (authorize = resolve));
  let waits = false;
  const auth = { authorize: () => (waits ? prepared.then(() => ({})) : {}) };
  const limits = { timeoutMs: 60_000, attemptTimeoutMs: 60_000 };
  const orders = createHttpClient({ name: 'orders', endpoints: () => list, clock, auth, retry: false, ...limits });
  await orders.get('/a');
  waits = true;
  const late = orders.get('/late');
  await vi.waitFor(() => expect(orders.stats().inFlight).toBe(1));
  list = [{ url: 'http://127.0.0.1:1' }];
  await clock.advance(30_000);
  waits = false;
  await orders.get('/a').catch(() => {});
  await orders.get('/a').catch(() => {});
  await server.waitUntil(({ openConnections }) => openConnections === 0);
  authorize();
  expect((await late).status).toBe(200);
  await server.waitUntil(({ openConnections }) => openConnections === 0);
  await orders.close();
  await server.close();
});

test('close() waits for a stream from an endpoint that has left the list', async () => {
  let end = (): void => {};
  const server = createServer(({ url }, response) => {
    response.write('first ');
    if (url === '/stream') end = () => response.end('last');
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const clock = virtualClock();
  let list = [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }];
  const orders = createHttpClient({ name: 'orders', endpoints: () => list, clock, retry: false });
  const { body } = await orders.stream('GET', '/stream', { idleTimeoutMs: Infinity });
  list = [{ url: 'http://127.0.0.1:1' }];
  await clock.advance(30_000);
  // The refresh is not awaited: the first call triggers it, and the second is sent to the new list.
  for (let i = 0; i < 2; i++) await orders.get('/a').catch(() => {});
  expect(orders.stats().endpoints).toMatchObject([{ endpoint: '127.0.0.1:1' }]);
  const steps: string[] = [];
  const closed = orders.close().then(() => steps.push('closed'));
  body.on('end', () => steps.push('read')).resume();
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  end();
  await closed;
  expect(steps).toEqual(['read', 'closed']);
  server.close();
});
