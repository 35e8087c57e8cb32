/** Invalidation by unsafe requests (RFC 9111, section 4.4). */
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type CacheMode, type HttpCacheOptions, type HttpClientOptions } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(steps: readonly Step[], mode: CacheMode = 'private'): Promise<void> {
  await runScenario(clock, steps, { mode });
}

const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);

describe('an unsafe request', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'])('%s invalidates the stored response of its URL', (method) =>
    run([{ origin: withCacheControl('max-age=60') }, { forwarded: false }, { method }, { body: 'body 4' }]),
  );

  test('invalidates the URLs in Location and Content-Location, on the same origin only', async () => {
    const { cache } = await runScenario(clock, [
      { path: '/b', origin: withCacheControl('max-age=60') },
      { path: '/c?d=1', origin: withCacheControl('max-age=60') },
      { path: '/e', origin: withCacheControl('max-age=60') },
      {
        method: 'POST',
        origin: { status: 201, headers: { location: '/b', 'content-location': 'https://prices.example.com/c?d=1' } },
        status: 201,
      },
      { path: '/b' },
      { path: '/c?d=1' },
      {
        method: 'POST',
        origin: { status: 201, headers: { location: 'https://elsewhere.example.com/e' } },
        status: 201,
      },
      { path: '/e', forwarded: false },
    ]);
    expect(cache?.invalidated).toBe(4);
  });

  test('invalidates URLs at the host that its Host header names, and at no other', () => {
    const stored = { origin: withCacheControl('max-age=60') };
    const atTenant = { headers: { host: 'tenant.example' } };
    return run([
      { ...stored },
      { ...stored, ...atTenant },
      { ...stored, ...atTenant, path: '/b' },
      { ...stored, ...atTenant, path: '/c' },
      {
        ...atTenant,
        method: 'POST',
        origin: { status: 201, headers: { location: '/b', 'content-location': 'https://tenant.example/c' } },
        status: 201,
      },
      { forwarded: false, body: 'body 1' },
      { ...atTenant },
      { ...atTenant, path: '/b' },
      { ...atTenant, path: '/c' },
    ]);
  });

  test('at a host of its own invalidates the URL that it is redirected to', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status: 303, headers: { location: '/list' } },
      { status: 200, body: 'seen' },
      { status: 200, ...withCacheControl('max-age=60'), body: 'new' },
    );
    await using client = clientFor(origin, {}, { redirects: {} });
    const headers = { host: 'tenant.example' };
    await client.get('/list', { headers });
    await clock.runUntil(client.post('/items', { json: 1, headers }));
    expect((await client.get('/list', { headers })).text()).toBe('new');
  });

  test.each([400, 500])('invalidates nothing when it fails with %s', (status) =>
    run([
      { origin: withCacheControl('max-age=60') },
      { method: 'POST', origin: { status }, status },
      { forwarded: false },
    ]),
  );

  test('keeps a response that was requested before it and arrives after it out of the store', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old', delayMs: 100, clock },
      { status: 204 },
      { status: 200, ...withCacheControl('max-age=60'), body: 'new' },
    );
    await using client = clientFor(origin);
    const early = client.get('/a');
    await clock.advance(10);
    await client.post('/a');
    await clock.advance(100);
    expect((await early).text()).toBe('old');
    expect((await client.get('/a')).text()).toBe('new');
  });
});

describe('an unsafe request that is redirected', () => {
  test.each([303, 307, 308])('invalidates the URL it was redirected to: %s', async (status) => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status, headers: { location: '/list' } },
      { status: 200, body: 'seen' },
      { status: 200, ...withCacheControl('max-age=60'), body: 'new' },
    );
    await using client = clientFor(origin, {}, { redirects: {} });
    await client.get('/list');
    await clock.runUntil(client.post('/items', { json: 1 }));
    expect((await client.get('/list')).text()).toBe('new');
  });
});

test.each([
  ['an absolute URL', 'https://b.example.com/v2/items/7'],
  ['a path', '/v2/items/7'],
])('a URL that one endpoint names in Location is invalidated for all endpoints: %s', async (_what, location) => {
  const stored = { status: 200, ...withCacheControl('max-age=60') };
  const dispatcher = scriptedDispatcher(stored, { status: 201, headers: { location } }, stored);
  const endpoints = [
    { url: 'https://a.example.com/v1', weight: 1e-9 },
    { url: 'https://b.example.com/v2', weight: 1 },
  ];
  await using client = createHttpClient({
    name: 'items',
    endpoints,
    dispatcher,
    cache: {},
    clock,
    random: seededRandom(1),
  });
  await client.get('/items/7');
  await client.post('/items/');
  await client.get('/items/7');
  expect(dispatcher.sent.map(({ origin, path }) => `${String(origin)}${path}`)).toEqual([
    'https://b.example.com/v2/items/7',
    'https://b.example.com/v2/items/',
    'https://b.example.com/v2/items/7',
  ]);
});
