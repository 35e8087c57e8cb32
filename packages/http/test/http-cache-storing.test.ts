/** Which responses are stored (RFC 9111, section 3). */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CacheMode, HttpCacheOptions, HttpClientOptions } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(steps: readonly Step[], mode: CacheMode = 'private'): Promise<void> {
  await runScenario(clock, steps, { mode });
}

const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);
const httpDate = (ms: number): string => new Date(virtualClock().now() + ms).toUTCString();
const paths = ({ sent }: ScriptedDispatcher): unknown[] => sent.map(({ path }) => path);

describe('is not stored', () => {
  test.each<[string, CacheMode, Step]>([
    ['a response with no-store', 'private', { origin: withCacheControl('no-store, max-age=60') }],
    [
      'the response to a request with no-store',
      'private',
      { headers: { 'cache-control': 'no-store' }, origin: withCacheControl('max-age=60') },
    ],
    ['a private response, in a shared cache', 'shared', { origin: withCacheControl('private, max-age=60') }],
    ['a response with Vary: *', 'private', { origin: withCacheControl('max-age=60', { vary: 'accept, *' }) }],
    ['a response with Vary: __proto__', 'private', { origin: withCacheControl('max-age=60', { vary: '__proto__' }) }],
    [
      'a response whose Vary is not a list of field names',
      'private',
      { origin: withCacheControl('max-age=60', { vary: 'accept cookie' }) },
    ],
    [
      'a response with a qualified and an unqualified private, in a shared cache',
      'shared',
      { origin: withCacheControl('private="a", private, max-age=60') },
    ],
    [
      'a 206 without Content-Range',
      'private',
      { headers: { range: 'bytes=0-1' }, origin: { status: 206, ...withCacheControl('max-age=60') }, status: 206 },
    ],
    [
      'a response with must-understand and a status that the cache does not understand',
      'private',
      { origin: { status: 299, ...withCacheControl('max-age=60, no-store, must-understand') }, status: 299 },
    ],
    ['a 201 without freshness information', 'private', { origin: { status: 201 }, status: 201 }],
  ])('%s', (_, mode, first) => run([first, { body: 'body 2' }], mode));

  test('must-understand overrides no-store for a status that the cache understands', () =>
    run([{ origin: withCacheControl('max-age=60, no-store, must-understand') }, { forwarded: false }]));

  test('the response at the end of redirects is not stored under the first URL', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 200, ...withCacheControl('max-age=60'), body: 'b' },
    );
    await using client = clientFor(origin, {}, { redirects: {} });
    await clock.runUntil(client.get('/a'));
    await clock.runUntil(client.get('/a'));
    expect(origin.sent.map(({ path }) => path)).toEqual(['/a', '/b', '/a']);
  });
});

test('the response to a GET with a body is not stored: the body is no part of the cache key', async () => {
  const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
  await using client = clientFor(origin, {});
  await client.request('GET', '/search', { json: { query: 'a' } });
  await client.request('GET', '/search', { json: { query: 'b' } });
  await client.get('/search');
  expect(origin.sent).toHaveLength(3);
});

test('a newer response that must not be stored removes the stored one', () =>
  run([
    { origin: withCacheControl('max-age=60') },
    { headers: { 'cache-control': 'no-cache' }, origin: withCacheControl('no-store'), body: 'body 2' },
    { body: 'body 3' },
  ]));

test('a 304 that forbids storing removes all stored responses that match the request', () =>
  run(
    [
      { origin: withCacheControl('max-age=60', { etag: '"1"' }) },
      { headers: { authorization: 'x' }, origin: withCacheControl('public, max-age=60', { etag: '"1"' }) },
      {
        headers: { 'cache-control': 'no-cache' },
        origin: { status: 304, ...withCacheControl('private, max-age=60'), body: [] },
        body: 'body 2',
      },
      { body: 'body 4' },
    ],
    'shared',
  ));

test('a response does not replace one that was requested later', async () => {
  const old = { ...withCacheControl('max-age=60'), body: 'old', delayMs: 100, clock };
  const origin = scriptedDispatcher(
    { status: 200, ...old },
    { status: 200, ...withCacheControl('max-age=60'), body: 'new', delayMs: 10, clock },
  );
  await using client = clientFor(origin, {});
  const calls = [client.get('/a')];
  await clock.advance(5);
  calls.push(client.get('/a'));
  await clock.runUntil(Promise.all(calls));
  expect((await client.get('/a')).text()).toBe('new');
});

test('a redirect stored by fetch() with redirect "manual" does not answer a call that follows redirects', async () => {
  const moved: Script = { status: 301, ...withCacheControl('max-age=60', { location: '/b' }) };
  const origin = scriptedDispatcher(moved, moved, { status: 200, body: 'b' });
  await using client = clientFor(origin, {}, { redirects: {} });
  await client.fetch('/a', { redirect: 'manual' });
  expect((await clock.runUntil(client.get('/a'))).text()).toBe('b');
  expect((await client.fetch('/a', { redirect: 'manual' })).status).toBe(301);
  expect(paths(origin)).toEqual(['/a', '/a', '/b']);
});

describe('a response to POST', () => {
  const same = { 'content-location': '/a' };

  test.each<[string, Script]>([
    ['max-age', withCacheControl('max-age=60', same)],
    ['Expires', { headers: { expires: httpDate(60_000), date: httpDate(0), ...same } }],
    ['the whole URL', withCacheControl('max-age=60', { 'content-location': 'https://prices.example.com/a' })],
  ])('is stored for GET when Content-Location names its URL and it has explicit freshness: %s', (_, origin) =>
    run([
      { method: 'POST', origin },
      { forwarded: false, body: 'body 1' },
      { method: 'POST', origin },
    ]),
  );

  test.each<[string, Script]>([
    ['Content-Location of another path', withCacheControl('max-age=60', { 'content-location': '/b' })],
    [
      'Content-Location of another origin',
      withCacheControl('max-age=60', { 'content-location': 'https://elsewhere.example.com/a' }),
    ],
    ['no Content-Location', withCacheControl('max-age=60')],
    ['heuristic freshness only', withCacheControl('public', { ...same, 'last-modified': httpDate(-1e9) })],
    ['status 201', { status: 201, ...withCacheControl('max-age=60', same) }],
    ['no-store', withCacheControl('max-age=60, no-store', same)],
  ])('is not stored: %s', (_, origin) => run([{ method: 'POST', origin, status: origin.status ?? 200 }, {}]));

  test('is not stored when the URL was invalidated meanwhile', async () => {
    const slow = { status: 200, ...withCacheControl('max-age=60', same), body: 'old', clock, delayMs: 100 };
    const origin = scriptedDispatcher(slow, { status: 204 }, { status: 200, body: 'new' });
    await using client = clientFor(origin);
    const posted = client.post('/a', { json: 1 });
    await client.put('/a', { json: 2 });
    await clock.runUntil(posted);
    expect((await client.get('/a')).text()).toBe('new');
  });

  test('is stored for POST only, not for PUT', () =>
    run([{ method: 'PUT', origin: withCacheControl('max-age=60', same) }, {}]));
});

describe('a response to a repeated attempt', () => {
  const retry = { maxAttempts: 3 };

  test('has the age since that attempt, not since the call', async () => {
    const origin = scriptedDispatcher(
      { status: 503, headers: { 'retry-after': '10' } },
      { status: 200, ...withCacheControl('max-age=10'), delayMs: 2_000, clock },
    );
    await using client = clientFor(origin, {}, { retry, timeoutMs: 60_000 });
    await clock.runUntil(client.get('/a'));
    const served = await client.get('/a');
    expect([served.headers.get('age'), origin.sent.length]).toEqual(['2', 2]);
  });

  test('is stored although an earlier attempt was redirected', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 503 },
      { status: 200, ...withCacheControl('max-age=60') },
    );
    await using client = clientFor(origin, {}, { retry });
    for (let i = 0; i < 2; i++) await clock.runUntil(client.get('/a'));
    expect(paths(origin)).toEqual(['/a', '/b', '/a']);
  });

  test('is not stored if it was redirected itself', async () => {
    const origin = scriptedDispatcher(
      { status: 503 },
      { status: 302, headers: { location: '/b' } },
      { status: 200, ...withCacheControl('max-age=60') },
    );
    await using client = clientFor(origin, {}, { retry });
    for (let i = 0; i < 2; i++) await clock.runUntil(client.get('/a'));
    expect(paths(origin)).toEqual(['/a', '/a', '/b', '/a']);
  });
});
