import { inspect } from 'node:util';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { consecutiveFailures, constant, retryBudget } from '@macadam/resilience';
import { describe, expect, test } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import type { HttpDispatcher } from '../src/dispatcher.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

/** A client whose upstream responds by path prefix, and never to other paths. */
function clientFor(responses: Record<string, Script>, options: Partial<HttpClientOptions>): HttpClient {
  const dispatch: HttpDispatcher['dispatch'] = (request, handler) => {
    const response = Object.entries(responses).find(([path]) => request.path.startsWith(path))?.[1];
    return response === undefined || scriptedDispatcher(response).dispatch(request, handler);
  };
  return createHttpClient({
    name: 'billing',
    baseUrl: 'https://billing.example.com/v1',
    dispatcher: { dispatch } as HttpDispatcher,
    retry: false,
    clock: virtualClock(),
    random: seededRandom(1),
    ...options,
  });
}

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

const ok: Script = { status: 200, body: '{}' };
const broken: Script = { status: 500 };

describe('a circuit breaker per route', () => {
  const circuitBreaker: HttpClientOptions['circuitBreaker'] = {
    per: 'route',
    trip: [consecutiveFailures({ count: 2 })],
  };

  test('does not affect other routes when one fails', async () => {
    const client = clientFor({ '/v1/reports/': broken, '/v1/': ok }, { circuitBreaker });
    const report = (id: number): Promise<unknown> => codeOf(client.get('/reports/{id}', { params: { id } }));
    expect([await report(1), await report(2), await report(3)]).toEqual([
      'MAC_HTTP_STATUS',
      'MAC_HTTP_STATUS',
      'MAC_CIRCUIT_OPEN',
    ]);
    expect(await codeOf(client.get('/invoices/{id}', { params: { id: 1 } }))).toBe('ok');
    expect(await codeOf(client.post('/reports/{id}', { params: { id: 1 } }))).toBe('MAC_HTTP_STATUS');
    const { routes } = client.stats();
    expect(Object.keys(routes)).toEqual(['GET /v1/reports/{id}', 'GET /v1/invoices/{id}', 'POST /v1/reports/{id}']);
    expect(routes['GET /v1/reports/{id}']?.['circuitBreaker']).toMatchObject({ state: 'open' });
    expect(client.stats().policies['circuitBreaker']).toBeUndefined();
  });

  test('is named after client and route', async () => {
    const client = clientFor({ '/v1/': broken }, { circuitBreaker: { ...circuitBreaker, name: 'mine' } });
    await codeOf(client.get('/a', { query: { secret: 1 } }));
    await codeOf(client.get('/a', { query: { secret: 2 } }));
    await expect(client.get('/a')).rejects.toMatchObject({ breaker: 'billing GET /v1/a' });
    expect(client.describe()).toMatch(/- circuit breaker.*; for each route/);
  });

  test('is one per method for fetch, whose paths are unbounded', async () => {
    const client = clientFor({ '/v1/': ok }, { circuitBreaker });
    for (const id of [1, 2]) await (await client.fetch(`/reports/${id}`)).text();
    expect(Object.keys(client.stats().routes)).toEqual(['GET *']);
  });

  test('AC43: (undici #4700) the thousand most recently used routes are kept', async () => {
    const client = clientFor({ '/v1/': ok }, { circuitBreaker });
    for (let i = 0; i < 1_000; i++) await client.get(`/a/${i}`);
    await client.get('/a/0');
    await client.get('/a/1000');
    const routes = Object.keys(client.stats().routes);
    expect(routes).toHaveLength(1_000);
    expect([routes[0], ...routes.slice(-2)]).toEqual(['GET /v1/a/2', 'GET /v1/a/0', 'GET /v1/a/1000']);
  });
});

test.each<[string, Partial<HttpClientOptions>]>([
  ['a bulkhead', { bulkhead: { maxConcurrent: 1 } }],
  ['a breaker', { circuitBreaker: { trip: [consecutiveFailures({ count: 1 })] } }],
  ['an adaptive limit', { adaptiveConcurrency: { initial: 1, min: 1 } }],
])('a refusal by %s names the request and contains no secret', async (_, options) => {
  const client = clientFor({ '/v1/reports/7': broken }, { retry: false, ...options });
  const abort = new AbortController();
  await codeOf(client.get('/reports/{id}', { params: { id: 7 } }));
  const slow = codeOf(client.get('/slow', { signal: abort.signal }));
  const refused = client.post('/reports/{id}', { params: { id: 'canary' }, query: { key: 'canary' }, json: {} });
  const error = (await refused.catch((thrown: unknown) => thrown)) as Error;
  expect(error.message).toMatch(/^POST https:.*\/v1\/reports\/\{id\}\?key=REDACTED was refused here: \S/);
  expect(inspect(error)).toContain(error.message);
  expect(inspect(error)).not.toContain('canary');
  abort.abort();
  await slow;
});

test('a refusal after a failed attempt has that failure as its cause', async () => {
  const clock = virtualClock();
  const retry = { maxAttempts: 2, backoff: constant({ delayMs: 50 }) };
  const adaptiveConcurrency = { initial: 1, min: 1, max: 1 };
  const client = clientFor({ '/v1/reports/7': { status: 500, body: 'no' } }, { adaptiveConcurrency, retry, clock });
  const refused = client.get('/reports/7').catch((thrown: unknown) => thrown);
  await clock.advance(10);
  const abort = new AbortController();
  const slow = codeOf(client.get('/slow', { signal: abort.signal }));
  expect(await clock.runUntil(refused)).toMatchObject({
    code: 'MAC_CONCURRENCY_LIMITED',
    cause: { code: 'MAC_HTTP_STATUS', attempts: [{ attempt: 1, status: 500 }] },
  });
  abort.abort();
  await slow;
});

test('a bulkhead per route keeps a slow route from taking all places', async () => {
  const client = clientFor({ '/v1/fast': ok }, { bulkhead: { per: 'route', maxConcurrent: 2 } });
  const abort = new AbortController();
  const slow = [1, 2].map(() => codeOf(client.get('/slow', { signal: abort.signal })));
  expect(await codeOf(client.get('/slow'))).toBe('MAC_BULKHEAD_FULL');
  expect(await codeOf(client.get('/fast'))).toBe('ok');
  expect(client.stats().routes['GET /v1/slow']?.['bulkhead']).toMatchObject({ inFlight: 2, rejected: 1 });
  abort.abort();
  await Promise.all(slow);
});

test('an adaptive limit per route does not affect other routes', async () => {
  const limits = { per: 'route', initial: 1, min: 1 } as const;
  const client = clientFor({ '/v1/fast': ok }, { adaptiveConcurrency: limits });
  const abort = new AbortController();
  const slow = codeOf(client.get('/slow', { signal: abort.signal }));
  expect(await codeOf(client.get('/slow'))).toBe('MAC_CONCURRENCY_LIMITED');
  expect(await codeOf(client.get('/fast'))).toBe('ok');
  abort.abort();
  await slow;
});

test('the retries of all routes share one budget', async () => {
  const clock = virtualClock();
  const budget = retryBudget({ ratio: 0, minPerSecond: 1, ttlMs: 10_000, clock });
  const client = clientFor(
    { '/v1/': broken },
    {
      circuitBreaker: false,
      bulkhead: { per: 'route' },
      retry: { budget, backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
      clock,
    },
  );
  const gaveUp = (path: '/a' | '/b'): Promise<unknown> =>
    clock.runUntil(client.get(path).catch((error: { gaveUp: string }) => error.gaveUp));
  let last: unknown;
  for (let i = 0; i < 20 && last !== 'budget'; i++) last = await gaveUp('/a');
  expect([last, await gaveUp('/b')]).toEqual(['budget', 'budget']);
});

test.each<[string, Partial<HttpClientOptions>]>([
  ['circuitBreaker.per', { circuitBreaker: { per: 'host' as 'route' } }],
  ['bulkhead.per', { bulkhead: { per: 'host' as 'route' } }],
  ['bulkhead.maxConcurrent', { bulkhead: { per: 'route', maxConcurrent: 0 } }],
  ['circuitBreaker.openMs', { circuitBreaker: { per: 'route', openMs: 0 } }],
  ['circuitBreaker.threshold', { circuitBreaker: { per: 'route', threshold: 1 } as object }],
  ['circuitBreaker.maxKeys', { circuitBreaker: { per: 'route', maxKeys: 5 } as object }],
  ['adaptiveConcurrency.min', { adaptiveConcurrency: { per: 'route', min: 0 } }],
])('rejects a wrong %s of routes under the path that the user wrote', (path, options) => {
  expect(() => clientFor({}, options)).toThrow(
    expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }),
  );
});

test.each<[string, Partial<HttpClientOptions>]>([
  ['circuitBreaker.openMs', { circuitBreaker: { openMs: 0 } }],
  ['circuitBreaker.maxKeys', { circuitBreaker: { maxKeys: 5 } as object }],
  ['adaptiveConcurrency.min', { adaptiveConcurrency: { min: 0 } }],
])('rejects a wrong %s of endpoints under the path that the user wrote', (path, options) => {
  const endpoints = [{ url: 'http://a.internal' }, { url: 'http://b.internal' }];
  expect(() => createHttpClient({ endpoints, ...options })).toThrow(
    expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }),
  );
});

describe('policies per route with several endpoints', () => {
  const sent: string[] = [];
  /** One route of one endpoint fails. */
  const dispatch: HttpDispatcher['dispatch'] = (request, handler) => {
    const { hostname } = new URL(String(request.origin));
    sent.push(`${hostname} ${request.path}`);
    const isBroken = hostname === 'a.internal' && request.path === '/reports';
    return scriptedDispatcher(isBroken ? broken : ok).dispatch(request, handler);
  };
  const clientOf = (own: Partial<HttpClientOptions>): HttpClient =>
    createHttpClient({
      endpoints: [{ url: 'http://a.internal' }, { url: 'http://b.internal' }],
      outlierEjection: false,
      dispatcher: { dispatch } as HttpDispatcher,
      retry: false,
      clock: virtualClock(),
      random: seededRandom(1),
      ...own,
    });
  const times = async (count: number, call: () => Promise<unknown>): Promise<unknown[]> => {
    const codes: unknown[] = [];
    for (let i = 0; i < count; i++) codes.push(await codeOf(call()));
    return codes;
  };

  test('a route that fails at one endpoint goes to the other; the other routes go to both', async () => {
    sent.length = 0;
    const client = clientOf({ circuitBreaker: { per: 'route', trip: [consecutiveFailures({ count: 2 })] } });
    const reports = await times(40, () => client.get('/reports'));
    expect(reports.filter((code) => code === 'MAC_HTTP_STATUS')).toHaveLength(2);
    expect(reports).not.toContain('MAC_CIRCUIT_OPEN');
    expect(new Set(await times(40, () => client.get('/invoices')))).toEqual(new Set(['ok']));
    expect(sent.filter((one) => one === 'a.internal /reports')).toHaveLength(2);
    expect(sent.filter((one) => one === 'a.internal /invoices').length).toBeGreaterThan(5);
    const circuits = client.stats().endpoints.map(({ endpoint, circuit }) => [endpoint, circuit]);
    expect(circuits).toEqual([
      ['a.internal:80', 'open'],
      ['b.internal:80', 'closed'],
    ]);
  });

  test('without per: route, an endpoint with a failing route gets no calls at all', async () => {
    sent.length = 0;
    const client = clientOf({ circuitBreaker: { trip: [consecutiveFailures({ count: 2 })] } });
    await times(40, () => client.get('/reports'));
    await times(40, () => client.get('/invoices'));
    expect(sent).not.toContain('a.internal /invoices');
  });

  test('each endpoint has an adaptive limit per route', async () => {
    const limits = { per: 'route', initial: 1, min: 1 } as const;
    const silent = { dispatch: () => true } as unknown as HttpDispatcher;
    const client = clientOf({
      endpoints: [{ url: 'http://a.internal' }],
      dispatcher: silent,
      adaptiveConcurrency: limits,
    });
    const abort = new AbortController();
    const first = codeOf(client.get('/reports', { signal: abort.signal }));
    expect(await codeOf(client.get('/reports'))).toBe('MAC_CONCURRENCY_LIMITED');
    const other = codeOf(client.get('/invoices', { signal: abort.signal }));
    await Promise.resolve();
    expect(client.stats().inFlight).toBe(2);
    abort.abort();
    await Promise.all([first, other]);
  });
});
