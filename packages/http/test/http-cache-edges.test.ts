import { AsyncLocalStorage } from 'node:async_hooks';
import { runWork } from '@macadam/core';
import { seededRandom, startFaultServer, virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createHttpClient,
  type HttpAuth,
  type HttpCacheOptions,
  type HttpClient,
  type HttpClientOptions,
} from '../src/index.ts';
import { withCacheControl, cachingClient, runScenario, type Step } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

type Story = [what: string, steps: Step[]];
type Store = NonNullable<HttpCacheOptions['store']>;
type Records = Awaited<ReturnType<Store['get']>>;

const run = (steps: readonly Step[], mode: HttpCacheOptions['mode'] = 'private') => runScenario(clock, { mode }, steps);
const httpDate = (ms: number): string => new Date(virtualClock().now() + ms).toUTCString();
const paths = ({ sent }: ScriptedDispatcher): unknown[] => sent.map(({ path }) => path);
const never = new Promise<never>(() => {});

/** A store in another process, as far as anybody can tell: every answer takes a turn, and is a copy. */
function farStore(): Store & { readonly kept: Map<string, Records> } {
  const kept = new Map<string, Records>();
  return {
    kept,
    get: async (key) => structuredClone(kept.get(key)),
    set: async (key, responses) => void kept.set(key, structuredClone(responses)),
    delete: async (key) => void kept.delete(key),
  };
}

function clientFor(origin: ScriptedDispatcher, cache: HttpCacheOptions, more?: Partial<HttpClientOptions>): HttpClient {
  return cachingClient(clock, cache, origin, more);
}

describe('what a 304 is about', () => {
  test.each<Story>([
    [
      'the version of a caller who asks about his own is not that which is stored',
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          headers: { 'if-none-match': '"2"' },
          origin: { status: 304, ...withCacheControl('max-age=60'), body: [] },
          status: 304,
        },
        { forwardedHeaders: { 'if-none-match': '"1"' }, body: 'body 3' },
      ],
    ],
    [
      'a field that it names in no-cache is given to nobody any more',
      [
        {
          origin: withCacheControl('max-age=10', { etag: '"1"', 'x-token': 'a' }),
          responseHeaders: { 'x-token': 'a' },
        },
        {
          afterSeconds: 15,
          origin: { status: 304, ...withCacheControl('max-age=60, no-cache="x-token"', { etag: '"1"' }), body: [] },
        },
        { forwarded: false, body: 'body 1', responseHeaders: { 'x-token': null } },
      ],
    ],
    [
      'nor is one that comes with it and was named before',
      [
        { origin: withCacheControl('max-age=10, no-cache="x-token"', { etag: '"1"' }) },
        { afterSeconds: 15, origin: { status: 304, headers: { etag: '"1"', 'x-token': 'b' }, body: [] } },
        { forwarded: false, body: 'body 1', responseHeaders: { 'x-token': null } },
      ],
    ],
    [
      'nor is it by a date of his own',
      [
        { origin: withCacheControl('max-age=10', { 'last-modified': httpDate(-2e6) }) },
        {
          afterSeconds: 15,
          headers: { 'if-modified-since': httpDate(-1e6) },
          origin: { status: 304, ...withCacheControl('max-age=60'), body: [] },
          status: 304,
        },
        { forwardedHeaders: { 'if-modified-since': httpDate(-2e6) }, body: 'body 3' },
      ],
    ],
    [
      'it is when he asks about the same',
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          headers: { 'if-none-match': 'W/"1"' },
          origin: { status: 304, ...withCacheControl('max-age=60'), body: [] },
          status: 304,
        },
        { forwarded: false, body: 'body 1' },
      ],
    ],
    [
      'what it forbids to keep is forgotten',
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          origin: { status: 304, ...withCacheControl('no-store, max-age=60'), body: [] },
          body: 'body 1',
        },
        { forwardedHeaders: { 'if-none-match': null }, body: 'body 3' },
      ],
    ],
    [
      'the fields it names in Vary choose from then on',
      [
        { headers: { 'x-plan': 'a' }, origin: withCacheControl('max-age=60, no-cache="x-z"', { etag: '"1"' }) },
        {
          headers: { 'x-plan': 'a', 'cache-control': 'no-cache' },
          origin: { status: 304, ...withCacheControl('max-age=60', { vary: 'x-plan' }), body: [] },
          body: 'body 1',
        },
        { headers: { 'x-plan': 'b' }, body: 'body 3' },
        { headers: { 'x-plan': 'a' }, forwarded: false, body: 'body 1' },
      ],
    ],
  ])('%s', async (_, steps) => void (await run(steps)));

  test('what has become private is forgotten by a shared cache', () =>
    run(
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          origin: { status: 304, ...withCacheControl('private, max-age=60'), body: [] },
          body: 'body 1',
        },
        { body: 'body 3' },
      ],
      'shared',
    ));

  test.each(['GET', 'HEAD'])('after a redirect it is not about what was asked for: %s', async (method) => {
    const lastModified = { 'last-modified': httpDate(-1e6) };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10', lastModified), body: 'a' },
      { status: 302, headers: { location: '/b' } },
      method === 'GET' ? { status: 304 } : { status: 200, ...withCacheControl('max-age=600', { 'x-who': 'b' }) },
      { status: 200, body: 'new' },
    );
    await using client = clientFor(origin, {}, { redirects: {} });
    await client.get('/a');
    await clock.advance(15_000);
    await clock.runUntil(client.request(method, '/a'));
    const last = await clock.runUntil(client.get('/a'));
    expect([last.text(), last.headers.get('x-who')]).toEqual(['new', null]);
  });

  test('a condition says nothing about what is no success (RFC 9110, section 13.2.1)', () =>
    run([
      { origin: { status: 404, ...withCacheControl('max-age=60', { etag: '"1"' }) }, status: 404 },
      { headers: { 'if-none-match': '"1"' }, forwarded: false, status: 404, body: 'body 1' },
      { headers: { 'if-modified-since': httpDate(1e6) }, forwarded: false, status: 404 },
    ]));
});

test.each([
  ['the place itself', 'https://b.example.com/v2/items/7'],
  ['a path there', '/v2/items/7'],
])('of several endpoints, what one changes by the URL it names is outdated for all: %s', async (_what, location) => {
  const kept = { status: 200, ...withCacheControl('max-age=60') };
  const dispatcher = scriptedDispatcher(kept, { status: 201, headers: { location } }, kept);
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

test('a body may say what is asked for: answers to it are not kept', async () => {
  const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
  await using client = clientFor(origin, {});
  await client.request('GET', '/search', { json: { query: 'a' } });
  await client.request('GET', '/search', { json: { query: 'b' } });
  await client.get('/search');
  expect(origin.sent).toHaveLength(3);
});

test('what is newer and may not be kept ends what is older', () =>
  run([
    { origin: withCacheControl('max-age=60') },
    { headers: { 'cache-control': 'no-cache' }, origin: withCacheControl('no-store'), body: 'body 2' },
    { body: 'body 3' },
  ]));

test('a redirect that fetch() was told of is followed by a call that follows redirects', async () => {
  const moved: Script = { status: 301, ...withCacheControl('max-age=60', { location: '/b' }) };
  const origin = scriptedDispatcher(moved, moved, { status: 200, body: 'b' });
  await using client = clientFor(origin, {}, { redirects: {} });
  await client.fetch('/a', { redirect: 'manual' });
  expect((await clock.runUntil(client.get('/a'))).text()).toBe('b');
  expect((await client.fetch('/a', { redirect: 'manual' })).status).toBe(301);
  expect(paths(origin)).toEqual(['/a', '/a', '/b']);
});

describe('a change that was redirected', () => {
  test.each([303, 307, 308])('outdates what it led to, too: %s', async (status) => {
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

describe('the background request', () => {
  const old: Script = {
    status: 200,
    ...withCacheControl('max-age=10, stale-while-revalidate=60', { etag: '"1"' }),
    body: 'old',
  };

  async function refreshed(headers: Record<string, string>): Promise<ScriptedDispatcher> {
    const origin = scriptedDispatcher(old, { status: 304 });
    await using client = clientFor(origin, {});
    await client.get('/a');
    await clock.advance(15_000);
    await client.get('/a', { headers });
    await client.close();
    return origin;
  }

  test('asks about what is stored, not about what its caller has, or for the part he wants', async () => {
    const origin = await refreshed({ 'if-none-match': '"0"', range: 'bytes=0-0', 'x-plan': 'a' });
    expect(origin.headersOf(1)).toMatchObject({ 'if-none-match': '"1"', 'x-plan': 'a' });
    expect(origin.headersOf(1)).not.toHaveProperty('range');
  });

  test('is not made for a caller who wants nothing but what is stored', async () => {
    expect((await refreshed({ 'cache-control': 'only-if-cached' })).sent).toHaveLength(1);
  });

  test('is made for a client that was made by work which is over', async () => {
    const origin = scriptedDispatcher(old, { status: 200, ...withCacheControl('max-age=60'), body: 'new' });
    await using client = await runWork({ timeoutMs: 100, clock }, async () => clientFor(origin, {}));
    await client.get('/a');
    await clock.advance(15_000);
    await client.get('/a');
    await clock.advance(1);
    expect((await client.get('/a')).text()).toBe('new');
  });
});

test.each<[string, Partial<HttpClientOptions>, string]>([
  ['adaptive limit', { adaptiveConcurrency: { initial: 1, min: 1, max: 1 } }, 'MAC_CONCURRENCY_LIMITED'],
])('what is stale stands in for what the %s refuses', async (_, options, code) => {
  const slow: Script = { status: 200, delayMs: 50, clock };
  const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=1'), body: 'stale' }, slow);
  await using client = clientFor(origin, {}, options);
  await client.get('/a');
  await clock.advance(5_000);
  const full = client.get('/slow');
  await expect(client.get('/b')).rejects.toMatchObject({ code });
  expect((await client.get('/a')).text()).toBe('stale');
  await clock.runUntil(full);
});

describe('fetch', () => {
  test('gives the whole body of a failed answer, however long', async () => {
    const text = 'x'.repeat(200_000);
    const answers = [{}, { 'cache-control': 'max-age=60' }, { 'cache-control': 'no-store' }];
    await using upstream = await startFaultServer({
      handle: ({ path }) => ({ status: 404, headers: answers[Number(path.slice(1))] as never, text }),
    });
    await using client = createHttpClient({ baseUrl: upstream.url, cache: {}, retry: false });
    for (const i of [0, 1, 2, 1]) expect((await (await client.fetch(`/${i}`)).text()).length).toBe(text.length);
    expect(upstream.requests).toHaveLength(3);
  });

  test('streams what would be of no use when it is kept, such as events', async () => {
    const events: Script = { status: 200, body: ['data: 1\n\n'], stalls: true };
    const origin = scriptedDispatcher({ ...events, ...withCacheControl('no-cache') }, { ...events, headers: {} });
    await using client = clientFor(origin, {});
    for (let i = 0; i < 2; i++) {
      const reader = ((await client.fetch('/events')).body as ReadableStream<Uint8Array>).getReader();
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 1\n\n');
      await reader.cancel();
    }
  });

  test('hands out what is to be kept as it comes, and keeps it when it has been read', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: ['first'], stalls: true },
      { status: 200, ...withCacheControl('max-age=60'), body: ['one', 'two'] },
    );
    await using client = clientFor(origin, {});
    const reader = ((await client.fetch('/a')).body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('first');
    await reader.cancel();
    for (let i = 0; i < 2; i++) {
      let text = '';
      for await (const piece of (await client.fetch('/a')).body as ReadableStream<Uint8Array>) {
        text += Buffer.from(piece).toString();
        piece.fill(0);
      }
      expect(text).toBe('onetwo');
    }
    expect(origin.sent).toHaveLength(2);
  });

  test('gives an answer of any length, and keeps none that is too long, nor what was there before', async () => {
    const origin = scriptedDispatcher(
      ...['short', 'x'.repeat(2_000), 'short'].map((body) => ({
        status: 200,
        ...withCacheControl('max-age=60'),
        body,
      })),
    );
    await using client = clientFor(origin, {}, { responseLimits: { maxBytes: 1_000 } });
    const lengths: number[] = [];
    for (const control of ['', 'no-cache', '', '']) {
      const response = await client.fetch('/a', { headers: { 'cache-control': control } });
      lengths.push((await response.text()).length);
    }
    expect(lengths).toEqual([5, 2_000, 5, 5]);
    expect(origin.sent).toHaveLength(3);
  });

  test.each(['GET', 'HEAD'])('tells where redirects led, with a cache too: %s', async (method) => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' }, body: 'over there' },
      { status: 200, ...withCacheControl('max-age=60'), body: 'here' },
    );
    await using client = clientFor(origin, {});
    const { url, redirected } = await clock.runUntil(client.fetch('/a', { method }));
    expect([url, redirected]).toEqual(['https://prices.example.com/b', true]);
  });
});

test('what is fresh does not stand in, unasked, for what fails when it is asked for anew', () =>
  run([
    { origin: withCacheControl('max-age=60') },
    { headers: { 'cache-control': 'no-cache' }, origin: { status: 503 }, status: 503 },
    {
      headers: { 'cache-control': 'max-age=0' },
      afterSeconds: 1,
      origin: { error: 'ECONNRESET' },
      errorCode: 'MAC_HTTP_NETWORK',
    },
    { forwarded: false, body: 'body 1' },
  ]));

describe('with credentials that depend on the caller', () => {
  const caller = new AsyncLocalStorage<string>();
  const mine = withCacheControl('max-age=60, stale-while-revalidate=60', { 'content-type': 'text/plain' });
  const echo = (header: string): ScriptedDispatcher => {
    const origin = scriptedDispatcher(() => ({
      status: 200,
      ...mine,
      body: `${origin.sent.length} for ${origin.headersOf(origin.sent.length - 1)[header]}`,
    }));
    return origin;
  };
  const hook = (header: string): HttpAuth => ({ authorize: async () => ({ [header]: caller.getStore() ?? 'nobody' }) });

  test.each(['Authorization', 'x-api-key'])('nobody gets what was given to another: %s', async (header) => {
    const origin = echo(header.toLowerCase());
    await using client = clientFor(origin, {}, { auth: hook(header) });
    const textFor = (name: string) => caller.run(name, async () => (await client.get('/me')).text());
    expect(await textFor('ann')).toBe('1 for ann');
    expect(await textFor('bob')).toBe('2 for bob');
    expect(await textFor('ann')).toBe('1 for ann');
    // What is asked for in the background is asked for with the credentials that it is kept for.
    await clock.advance(70_000);
    expect(await textFor('bob')).toBe('2 for bob');
    await clock.settle();
    expect(await textFor('bob')).toBe('3 for bob');
    expect(await textFor('ann')).toBe('1 for ann');
  });

  test('an answer to POST is nobody else’s, and what authorizes it is asked for once', async () => {
    let asked = 0;
    const auth: HttpAuth = { authorize: () => ({ authorization: `${++asked}` }) };
    const origin = scriptedDispatcher({
      status: 200,
      ...withCacheControl('max-age=60', { 'content-location': '/me' }),
    });
    await using client = clientFor(origin, {}, { auth });
    await client.post('/me');
    expect(asked).toBe(1);
    await client.get('/me');
    expect(origin.sent).toHaveLength(2);
  });

  test.each<[string, HttpAuth['authorize'], string]>([
    ['fails', () => Promise.reject(new Error('no token')), 'MAC_HTTP_REQUEST'],
    ['hangs', () => never, 'MAC_TIMEOUT'],
  ])('nothing is given when asking for them %s, within the limits of the call', async (_, authorize, code) => {
    let works = true;
    const auth: HttpAuth = { authorize: (...asked) => (works ? { authorization: 'a' } : authorize(...asked)) };
    await using client = clientFor(echo('authorization'), {}, { auth });
    await client.get('/me');
    works = false;
    const began = clock.monotonic();
    await expect(clock.runUntil(client.get('/me', { timeoutMs: 100 }))).rejects.toMatchObject({ code });
    expect(clock.monotonic() - began).toBeLessThanOrEqual(101);
  });
});

test('what was confirmed for another is for him, and a cookie that came with it is not for all', async () => {
  await run(
    [
      { headers: { authorization: 'x' }, origin: withCacheControl('max-age=5, must-revalidate', { etag: '"1"' }) },
      { afterSeconds: 6, origin: { status: 304, ...withCacheControl('max-age=5'), body: [] }, body: 'body 1' },
      { forwarded: false, body: 'body 1' },
      { headers: { authorization: 'x' }, body: 'body 4' },
    ],
    'shared',
  );
  await run([
    { origin: withCacheControl('max-age=5', { etag: '"1"' }) },
    {
      afterSeconds: 6,
      headers: { cookie: 'id=1' },
      origin: { status: 304, ...withCacheControl('max-age=5', { 'set-cookie': 'id=2' }), body: [] },
      body: 'body 1',
    },
    { headers: { cookie: 'id=1' }, forwarded: false, body: 'body 1' },
    { body: 'body 4', responseHeaders: { 'set-cookie': null } },
  ]);
});

test('what is not to be kept any more takes older answers for the same request with it', () =>
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

test('an answer that was asked for before another does not take its place, however late it comes', async () => {
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

test('of what is too large together, the newest stays in memory', async () => {
  const large: Script = { status: 200, ...withCacheControl('max-age=60', { vary: 'x-plan' }), body: 'x'.repeat(4_000) };
  const origin = scriptedDispatcher(large);
  await using client = clientFor(origin, { maxBytes: 10_000 });
  for (const plan of ['a', 'b', 'c', 'c', 'b', 'a']) await client.get('/a', { headers: { 'x-plan': plan } });
  expect(origin.sent).toHaveLength(4);
  expect(client.stats().cache?.bytes).toBeLessThanOrEqual(10_000);
});

test('every call that the cache looks at is counted once, a background request not at all', async () => {
  const stats = await run([
    { origin: withCacheControl('max-age=10, stale-while-revalidate=10', { etag: '"1"' }) },
    { forwarded: false },
    { afterSeconds: 25, origin: { status: 304, body: [] } },
    { afterSeconds: 15, origin: { status: 304, body: [] } },
    { afterSeconds: 50, origin: withCacheControl('no-store') },
    { headers: { 'cache-control': 'only-if-cached' }, forwarded: false, status: 504 },
    { origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
    { headers: { 'cache-control': 'no-store' } },
  ]);
  expect(stats.cache).toMatchObject({ hits: 1, revalidated: 1, stale: 1, misses: 4 });
});

test.each<[what: string, first: Record<string, string>, scripts: Script[]]>([
  [
    'a 304 that speaks of another version',
    {},
    [
      { status: 200, ...withCacheControl('max-age=0', { etag: '"1"' }) },
      { status: 304, headers: { etag: '"2"' }, body: [] },
    ],
  ],
  [
    'a part that cannot be completed',
    { range: 'bytes=0-1' },
    [
      { status: 206, ...withCacheControl('max-age=60', { etag: '"1"', 'content-range': 'bytes 0-1/4' }), body: 'ab' },
      { status: 416, body: [] },
    ],
  ],
])(
  'what is asked for again after %s has the time that is left, not all of it once more',
  async (_what, headers, scripts) => {
    const [first = {}, ...others] = scripts;
    const slow = [...others, { status: 200, body: 'whole' }].map((script) => ({ ...script, clock, delayMs: 700 }));
    await using client = clientFor(scriptedDispatcher(first, ...slow), {}, { timeoutMs: 1_000, retry: false });
    await clock.runUntil(client.get('/a', { headers }));
    const beganAt = clock.monotonic();
    await expect(clock.runUntil(client.get('/a'))).rejects.toMatchObject({
      code: 'MAC_TIMEOUT',
      timeoutMs: 1_000,
      gaveUp: 'deadline',
      attempts: { length: 2 },
    });
    expect(clock.monotonic() - beganAt).toBe(1_000);
  },
);

describe('a store in another process', () => {
  test('hangs without holding a call up beyond its own limits', async () => {
    const store: Store = { get: () => never, set: () => never, delete: () => never };
    const origin = scriptedDispatcher({
      status: 200,
      ...withCacheControl('max-age=60'),
      body: 'fine',
      delayMs: 20,
      clock,
    });
    await using client = clientFor(origin, { store });
    const began = clock.monotonic();
    expect((await clock.runUntil(client.get('/a', { timeoutMs: 60 }))).text()).toBe('fine');
    expect(clock.monotonic() - began).toBeLessThanOrEqual(60);
    const caller = new AbortController();
    const left = client.get('/a', { signal: caller.signal });
    await clock.settle();
    caller.abort();
    await expect(left).rejects.toBe(caller.signal.reason);
    expect(clock.monotonic() - began).toBeLessThanOrEqual(60);
    await clock.advance(1_000);
  });

  test('that hangs is waited for once, not for each thing it is asked', async () => {
    const store: Store = { get: () => never, set: () => never, delete: () => never };
    await using client = clientFor(scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') }), { store });
    for (const call of [() => client.get('/a'), () => client.post('/a')]) {
      const began = clock.monotonic();
      await clock.runUntil(call());
      expect(clock.monotonic() - began).toBe(250);
    }
    await clock.advance(1_000);
  });

  test('that keeps hanging is left alone for a while, and told all the same what it is to forget', async () => {
    const far = farStore();
    let hangs = true;
    let deletions = 0;
    const store: Store = {
      get: (key) => (hangs ? never : far.get(key)),
      set: (...put) => (hangs ? never : far.set(...put)),
      delete: (key) => (deletions++, hangs ? never : far.delete(key)),
    };
    await using client = clientFor(scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') }), { store });
    const costs: number[] = [];
    const timed = async (call: Promise<unknown>): Promise<void> => {
      const began = clock.monotonic();
      await clock.runUntil(call);
      costs.push(clock.monotonic() - began);
    };
    for (let i = 0; i < 4; i++) await timed(client.get('/a'));
    await timed(client.post('/a'));
    expect(costs).toEqual([250, 250, 250, 0, 0]);
    expect(deletions).toBe(1);
    hangs = false;
    await clock.advance(2_000);
    for (let i = 0; i < 2; i++) await client.get('/a');
    expect(client.stats().cache).toMatchObject({ storeFailures: 6, hits: 1 });
  });

  test('that has not forgotten yet is not believed about what was before', async () => {
    const far = farStore();
    const store: Store = { ...far, delete: () => never };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status: 204 },
      { status: 200, body: 'new' },
    );
    await using client = clientFor(origin, { store });
    await client.get('/a');
    await clock.runUntil(client.post('/a', { timeoutMs: 50 }));
    expect((await client.get('/a')).text()).toBe('new');
    await clock.advance(1_000);
  });

  test('takes its time off that of the call, and the origin is told what is left', async () => {
    const store: Store = { ...farStore(), get: () => clock.sleep(20).then(() => undefined) };
    const origin = scriptedDispatcher({});
    await using client = clientFor(origin, { store }, { peer: 'internal' });
    const call = client.get('/a', { timeoutMs: 100 });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(clock.monotonic()).toBe(100);
    expect(Object.values(origin.headersOf(0))).toContain('80');
  });

  test('may still be written to when the call is answered: closing waits for it', async () => {
    const far = farStore();
    const store: Store = { ...far, set: (...put) => clock.sleep(200).then(() => far.set(...put)) };
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    const client = clientFor(origin, { store });
    await clock.runUntil(client.get('/a', { timeoutMs: 50 }));
    expect(far.kept.size).toBe(0);
    await clock.runUntil(client.close());
    expect(far.kept.size).toBe(1);
  });

  const good = { authorization: '', cookie: '', outdated: false, selecting: {}, requestedAtMs: 0, receivedAtMs: 0 };
  const record = { ...good, status: 200, headers: {}, body: new Uint8Array(2) };
  test.each<[string, unknown]>([
    ['no list', 'x'],
    ['nothing in a list', [null]],
    ['text', ['x']],
    ['an empty record', [{}]],
    ['a body that went through JSON', JSON.parse(JSON.stringify([record])) as unknown],
    ['headers of another kind', [{ ...record, headers: { etag: 1 } }]],
    ['no time', [{ ...record, receivedAtMs: 'now' }]],
    ['a part that is longer than it is', [{ ...record, part: { first: 0, last: 9, size: null } }]],
    ['one that is good and one that is not', [record, 5]],
  ])('is empty when it gives back %s', async (_, corrupt) => {
    const store: Store = { ...farStore(), get: async () => corrupt as Records };
    await using client = clientFor(
      scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'fine' }),
      {
        store,
      },
    );
    expect((await client.get('/a')).text()).toBe('fine');
    expect(client.stats().cache?.storeFailures).toBeGreaterThan(0);
  });

  test('may fail by a promise of another kind', async () => {
    // oxlint-disable-next-line unicorn/no-thenable
    const failed = { then: (_: unknown, reject: (reason: Error) => void) => reject(new Error('down')) } as never;
    const store: Store = { get: () => failed, set: () => failed, delete: () => failed };
    await using client = clientFor(
      scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'fine' }),
      {
        store,
      },
    );
    expect((await client.get('/a')).text()).toBe('fine');
    await client.post('/a');
    expect(client.stats().cache?.storeFailures).toBe(4);
  });

  test('gets whole milliseconds, and nothing that is of no use', async () => {
    const times: number[] = [];
    const store: Store = { ...farStore(), set: (_key, _responses, keepForMs) => void times.push(keepForMs) };
    const guessed = (seconds: number): Script => ({
      status: 200,
      headers: { 'last-modified': httpDate(-seconds * 1e3) },
    });
    const origin = scriptedDispatcher(
      ...[3, 7, 69].map(guessed),
      { status: 200, ...withCacheControl('max-age=0') },
      { status: 200 },
    );
    await using client = clientFor(origin, { store });
    for (let i = 0; i < 5; i++) await client.get(`/${i}`);
    expect(times).toHaveLength(3);
    expect(times.every(Number.isInteger)).toBe(true);
  });

  test('holds no value of a header that may be secret, whatever Vary names', async () => {
    const far = farStore();
    const origin = scriptedDispatcher({
      status: 200,
      ...withCacheControl('max-age=60', { vary: 'authorization, cookie, x-api-key, accept-language' }),
    });
    await using client = clientFor(origin, { store: far });
    const headers = { authorization: 'Bearer s3cret', cookie: 'id=s3cret', 'x-api-key': 's3cret' };
    for (let i = 0; i < 2; i++) await client.get('/a', { headers: { ...headers, 'accept-language': 'de' } });
    await client.get('/a', { headers: { ...headers, 'x-api-key': 'another' } });
    expect(origin.sent).toHaveLength(2);
    expect(JSON.stringify([...far.kept])).not.toContain('s3cret');
  });

  test('holds no value of a query in its keys, each of which is one URL’s all the same', async () => {
    const far = farStore();
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    await using client = clientFor(origin, { store: far });
    for (const token of ['s3cret', 's3cret', 'another', undefined]) await client.get('/a', { query: { token } });
    expect(origin.sent).toHaveLength(3);
    expect(far.kept.size).toBe(3);
    expect(JSON.stringify([...far.kept])).not.toMatch(/s3cret|another/);
    expect([...far.kept.keys()]).toContain('private https://prices.example.com/a');
  });

  test.each(['?by=O%27Hara', "?by=O'Hara"])('forgets the URL that an answer names, as in %s', async (search) => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status: 201, headers: { location: `/a${search}` } },
      { status: 200, body: 'new' },
    );
    await using client = clientFor(origin, { store: farStore() });
    for (const method of ['get', 'post', 'get'] as const) {
      const path = method === 'post' ? '/b' : '/a';
      const response = await client[method](path, method === 'get' ? { query: { by: "O'Hara" } } : {});
      if (origin.sent.length === 3) expect(response.text()).toBe('new');
    }
    expect(origin.sent).toHaveLength(3);
  });

  test('does not bring back what was outdated while it was being put away', async () => {
    const far = farStore();
    const store: Store = { ...far, get: (key) => clock.sleep(50).then(() => far.get(key)) };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status: 204 },
      { status: 200, body: 'new' },
    );
    await using client = clientFor(origin, { store });
    const early = client.get('/a');
    await clock.advance(75);
    await client.put('/a', { json: 1 });
    await clock.runUntil(early);
    expect((await clock.runUntil(client.get('/a'))).text()).toBe('new');
  });

  test('does not bring back what it put away long after it was given up', async () => {
    const far = farStore();
    let puts = 0;
    const store: Store = {
      ...far,
      set: (...put) => (puts++ === 0 ? clock.sleep(400).then(() => far.set(...put)) : far.set(...put)),
    };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
      { status: 204 },
      { status: 200, ...withCacheControl('max-age=60'), body: 'new' },
    );
    await using client = clientFor(origin, { store });
    await clock.runUntil(client.get('/a'));
    await clock.runUntil(client.post('/a'));
    await clock.advance(10);
    await client.get('/a');
    await clock.advance(400);
    expect((await client.get('/a')).text()).toBe('new');
  });

  test('that does not forget is not believed about what was before', async () => {
    const far = farStore();
    const store: Store = { ...far, delete: () => Promise.reject(new Error('down')) };
    const fresh: Script = { status: 200, ...withCacheControl('max-age=60'), body: 'new' };
    const origin = scriptedDispatcher({ ...fresh, body: 'old' }, { status: 204 }, fresh);
    await using client = clientFor(origin, { store });
    await client.get('/a');
    await clock.advance(1);
    await client.delete('/a');
    await clock.advance(1);
    for (let i = 0; i < 2; i++) expect((await client.get('/a')).text()).toBe('new');
    expect(origin.sent).toHaveLength(3);
  });

  test('is told again what it failed to forget when it answers, for the others who use it', async () => {
    const far = farStore();
    let isDown = false;
    const failing = (): Promise<void> => Promise.reject(new Error('down'));
    const store: Store = {
      get: (key) => (isDown ? failing().then(() => undefined) : far.get(key)),
      set: (...put) => (isDown ? failing() : far.set(...put)),
      delete: (key) => (isDown ? failing() : far.delete(key)),
    };
    const paths = Array.from({ length: 9 }, (_, i) => `/items/${i}`);
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=600') });
    await using client = clientFor(origin, { store });
    for (const path of paths) await clock.runUntil(client.get(path));
    isDown = true;
    await clock.advance(1);
    // More than it takes until it is left alone.
    for (const path of paths) await clock.runUntil(client.put(path, { json: 1 }));
    isDown = false;
    await clock.advance(60_000);
    expect(far.kept.size).toBe(9);
    await clock.runUntil(client.get('/other'));
    await clock.advance(1);
    expect([...far.kept.keys()]).toEqual(['private https://prices.example.com/other']);
  });

  test('tells services apart that are at one host, with several endpoints too', async () => {
    const store = farStore();
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'a' },
      { status: 200, body: 'b' },
    );
    const texts: string[] = [];
    for (const name of ['billing', 'orders']) {
      const endpoints = [{ url: `https://gateway.example.com/${name}` }];
      await using client = createHttpClient({ name, endpoints, cache: { store }, dispatcher: origin, clock });
      texts.push((await client.get('/items')).text());
    }
    expect(texts).toEqual(['a', 'b']);
    expect([...store.kept.keys()]).toEqual(['private https://gateway.example.com/billing/items']);
  });
});
