import { runWork } from '@macadam/core';
import { startFaultServer, virtualClock, type VirtualClock } from '@macadam/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpCacheOptions, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { withCacheControl, cachingClient, runScenario, type Step } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
let client: HttpClient;
beforeEach(() => {
  clock = virtualClock();
});
afterEach(() => (client as HttpClient | undefined)?.close());

function clientFor(
  cache: HttpCacheOptions,
  origin: ScriptedDispatcher,
  more: Partial<HttpClientOptions> = {},
): HttpClient {
  client = cachingClient(clock, cache, origin, more);
  return client;
}

async function run(cache: HttpCacheOptions, steps: readonly Step[], more?: Partial<HttpClientOptions>): Promise<void> {
  await runScenario(clock, cache, steps, more);
}

/** So many milliseconds from when every story begins. */
const httpDate = (ms: number): string => new Date(virtualClock().now() + ms).toUTCString();

describe('a fresh answer', () => {
  test.each<[string, HttpCacheOptions['mode'], Step[]]>([
    [
      'is given again without asking, with its age',
      'private',
      [
        { origin: withCacheControl('max-age=60', { etag: '"1"', 'x-a': 'b' }), responseHeaders: { age: null } },
        {
          afterSeconds: 30,
          forwarded: false,
          body: 'body 1',
          responseHeaders: { age: '30', 'x-a': 'b', 'cache-status': 'prices; hit; ttl=30' },
        },
        { afterSeconds: 29, forwarded: false, responseHeaders: { age: '59' } },
        { afterSeconds: 1, body: 'body 4', forwardedHeaders: { 'if-none-match': '"1"' } },
      ],
    ],
    [
      'is older by what it says of its age, and by the time it took',
      'private',
      [
        { origin: withCacheControl('max-age=60', { age: '50' }) },
        { afterSeconds: 9, forwarded: false, responseHeaders: { age: '59' } },
        { afterSeconds: 2 },
      ],
    ],
    [
      'is one with s-maxage, to a shared cache',
      'shared',
      [
        { origin: withCacheControl('max-age=1, s-maxage=60') },
        { afterSeconds: 30, forwarded: false },
        { afterSeconds: 31 },
      ],
    ],
    [
      'is not one with s-maxage, to a private cache',
      'private',
      [{ origin: withCacheControl('max-age=1, s-maxage=60') }, { afterSeconds: 30 }],
    ],
    [
      'answers HEAD too, without its body',
      'private',
      [{ origin: withCacheControl('max-age=60') }, { method: 'HEAD', forwarded: false, body: '' }],
    ],
    [
      'with an error status is given as one',
      'private',
      [
        { origin: { status: 404, ...withCacheControl('max-age=60') }, status: 404 },
        { forwarded: false, status: 404, body: 'body 1' },
      ],
    ],
    [
      'answers its own query only',
      'private',
      [
        { path: '/a?x=1', origin: withCacheControl('max-age=60') },
        { path: '/a?x=2' },
        { path: '/a?x=1', forwarded: false },
      ],
    ],
    [
      'does not answer a request for something newer',
      'private',
      [
        { origin: withCacheControl('max-age=60') },
        { afterSeconds: 10, headers: { 'cache-control': 'max-age=9' } },
        { headers: { 'cache-control': 'no-cache' } },
        { headers: { 'cache-control': 'min-fresh=61' } },
        { headers: { 'cache-control': 'no-store' } },
      ],
    ],
    [
      'that is immutable answers a reload, but not a demand',
      'private',
      [
        { origin: withCacheControl('max-age=60, immutable') },
        { afterSeconds: 10, headers: { 'cache-control': 'max-age=0' }, forwarded: false },
        { headers: { 'cache-control': 'no-cache' } },
      ],
    ],
  ])('%s', (_, mode = 'private', steps) => run({ mode }, steps));

  test("leaves the connection's and the listed fields behind", () =>
    run({ mode: 'private' }, [
      {
        origin: withCacheControl('max-age=60, no-cache="x-fresh"', {
          connection: 'x-hop',
          'x-hop': '1',
          'x-fresh': '2',
          'keep-alive': 'timeout=5',
          'x-kept': '3',
          'set-cookie': ['a=1', 'b=2'],
        }),
      },
      {
        forwarded: false,
        responseHeaders: {
          connection: null,
          'x-hop': null,
          'x-fresh': null,
          'keep-alive': null,
          'x-kept': '3',
          'set-cookie': 'a=1, b=2',
        },
      },
    ]));

  test('cannot be changed through what a caller got', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'abc' });
    clientFor({}, origin);
    (await client.get('/a')).bytes().fill(0);
    (await client.get('/a')).bytes().fill(0);
    expect((await client.get('/a')).text()).toBe('abc');
    expect(origin.sent).toHaveLength(1);
  });
});

describe('a stale answer', () => {
  test.each<[string, Step[]]>([
    [
      'is good again after a 304, with the fields that came with it',
      [
        {
          origin: withCacheControl('max-age=10', {
            etag: '"1"',
            'x-a': 'old',
            'x-b': 'kept',
            'content-md5': 'old',
            'content-type': 'a/b',
          }),
        },
        {
          afterSeconds: 20,
          origin: {
            status: 304,
            headers: {
              etag: '"1"',
              'cache-control': 'max-age=100',
              'x-a': 'new',
              'content-md5': 'new',
              'content-type': 'x/y',
            },
            body: [],
          },
          forwardedHeaders: { 'if-none-match': '"1"' },
          status: 200,
          body: 'body 1',
          responseHeaders: { 'x-a': 'new', 'x-b': 'kept', 'content-md5': 'old', 'content-type': 'x/y', age: '0' },
        },
        { afterSeconds: 50, forwarded: false, body: 'body 1', responseHeaders: { 'x-a': 'new', age: '50' } },
      ],
    ],
    [
      'is asked about by its date',
      [
        { origin: withCacheControl('max-age=10', { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }) },
        {
          afterSeconds: 20,
          forwardedHeaders: { 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT', 'if-none-match': null },
          origin: { status: 304, body: [] },
          body: 'body 1',
        },
      ],
    ],
    [
      'is asked about although fresh, with no-cache',
      [
        { origin: withCacheControl('max-age=60, no-cache', { etag: '"1"' }) },
        { forwardedHeaders: { 'if-none-match': '"1"' } },
      ],
    ],
    [
      'serves after max-stale of the request',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, headers: { 'cache-control': 'max-stale=5' }, forwarded: false },
        { afterSeconds: 1, headers: { 'cache-control': 'max-stale=5' } },
      ],
    ],
    [
      'serves after max-stale of any length',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 1_000, headers: { 'cache-control': 'max-stale' }, forwarded: false },
      ],
    ],
    [
      'stands in for a failing origin, within stale-if-error',
      [
        { origin: withCacheControl('max-age=10, stale-if-error=20') },
        {
          afterSeconds: 30,
          origin: { status: 503, headers: {} },
          body: 'body 1',
          responseHeaders: { 'cache-status': 'prices; hit; ttl=-20; fwd=stale' },
        },
        { afterSeconds: 1, origin: { status: 503, headers: {} }, status: 503 },
      ],
    ],
    [
      'AC34: stands in for an origin that cannot be reached (undici #5507)',
      [
        { origin: withCacheControl('max-age=10, stale-if-error=20') },
        { afterSeconds: 15, origin: { error: 'ECONNREFUSED', unsent: true }, body: 'body 1' },
        { origin: { error: 'ECONNRESET' }, body: 'body 1' },
        { afterSeconds: 20, origin: { error: 'ECONNREFUSED', unsent: true }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'stands in for an hour when the origin cannot be reached and nobody said otherwise (RFC 9111, section 4.2.4)',
      [
        { origin: withCacheControl('max-age=10') },
        {
          afterSeconds: 15,
          origin: { error: 'ECONNREFUSED', unsent: true },
          body: 'body 1',
          responseHeaders: { age: '15', 'cache-status': 'prices; hit; ttl=-5; fwd=stale' },
        },
        { afterSeconds: 3_595, origin: { error: 'ECONNRESET' }, body: 'body 1' },
        { afterSeconds: 1, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'does not stand in, unasked, for an answer that fails: the origin was reached',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, origin: { status: 503, headers: {} }, status: 503 },
      ],
    ],
    [
      'does not stand in, unasked, when it never was fresh, or is outdated',
      [
        { origin: withCacheControl('max-age=0') },
        { afterSeconds: 1, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
        { path: '/b', origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        { path: '/b', afterSeconds: 15, method: 'HEAD', origin: { headers: { etag: '"2"' }, body: [] } },
        { path: '/b', origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'does not stand in, unasked, for a request that says what it will have',
      [
        { origin: withCacheControl('max-age=10') },
        ...['no-cache', 'max-age=60', 'min-fresh=1', 'max-stale=4', 'stale-if-error=4'].map((asked, i) => ({
          afterSeconds: i === 0 ? 15 : 0,
          headers: { 'cache-control': asked },
          origin: { error: 'ECONNRESET' },
          errorCode: 'MAC_HTTP_NETWORK',
        })),
      ],
    ],
    [
      'stands in when the request allows it',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, headers: { 'cache-control': 'stale-if-error=5' }, origin: { status: 500 }, body: 'body 1' },
      ],
    ],
    [
      'AC33: never stands in against must-revalidate (undici #5508)',
      [
        { origin: withCacheControl('max-age=10, must-revalidate, stale-if-error=60, stale-while-revalidate=60') },
        { afterSeconds: 15, headers: { 'cache-control': 'max-stale=60' }, origin: { status: 503 }, status: 503 },
        { origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
  ])('%s', (_, steps) => run({ mode: 'private' }, steps));

  test.each(['proxy-revalidate, max-age=10', 's-maxage=10'])(
    'never stands in against %s, in a shared cache',
    (control) =>
      run({ mode: 'shared' }, [
        { origin: withCacheControl(`${control}, stale-if-error=60`) },
        { afterSeconds: 15, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ]),
  );

  test.each(['proxy-revalidate', 's-maxage=5', 'no-cache="x-a"', 'stale-if-error=none'])(
    'does not stand in, unasked, in a private cache either: %s',
    (control) =>
      run({ mode: 'private' }, [
        { origin: withCacheControl(`max-age=10, ${control}`) },
        { afterSeconds: 15, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ]),
  );

  test('a 304 about another version is not believed: the answer is asked for anew', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1', { etag: '"1"' }), body: 'one' },
      { status: 304, headers: { etag: '"2"' } },
      { status: 200, headers: { etag: '"2"' }, body: 'two' },
    );
    clientFor({}, origin);
    await client.get('/a');
    await clock.advance(5_000);
    expect((await client.get('/a')).text()).toBe('two');
    expect(origin.headersOf(2)['if-none-match']).toBeUndefined();
  });

  test('takes its place in a full house, too: a stale answer beats none', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1, stale-if-error=60'), body: 'one' },
      {},
    );
    clientFor({}, origin, { bulkhead: { maxConcurrent: 1 } });
    await client.get('/a');
    await clock.advance(5_000);
    const hanging = client.get('/b');
    expect((await client.get('/a')).text()).toBe('one');
    await clock.runUntil(hanging.catch(() => undefined));
  });
});

describe('stale-while-revalidate', () => {
  test('AC32: answers at once and asks once in the background; its 304 updates what is stored (undici #4471, #3853, #4596)', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=20', { etag: '"1"' }), body: 'one' },
      { status: 304, headers: { etag: '"1"', 'cache-control': 'max-age=100' } },
    );
    clientFor({}, origin);
    await client.get('/a');
    await clock.advance(15_000);
    const both = await Promise.all([client.get('/a'), client.get('/a')]);
    expect(both.map((response) => [response.text(), response.headers.get('age')])).toEqual([
      ['one', '15'],
      ['one', '15'],
    ]);
    await clock.advance(50_000);
    expect(origin.sent).toHaveLength(2);
    expect((await client.get('/a')).headers.get('age')).toBe('50');
    expect(origin.sent).toHaveLength(2);
    expect(client.stats().cache).toMatchObject({ hits: 1, stale: 2, misses: 1, storeFailures: 0 });
  });

  test('ends with its window', () =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=10, stale-while-revalidate=20') },
      { afterSeconds: 31, body: 'body 2' },
    ]));

  test('does not end with the call and the work that started it', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=20'), body: 'one' },
      { status: 200, ...withCacheControl('max-age=10'), body: 'two', delayMs: 300, clock },
    );
    clientFor({}, origin);
    await client.get('/a');
    await clock.advance(15_000);
    const caller = new AbortController();
    await runWork({ timeoutMs: 100, signal: caller.signal, clock }, async () => {
      expect((await client.get('/a', { signal: caller.signal })).text()).toBe('one');
      caller.abort();
    });
    await clock.advance(1_000);
    expect((await client.get('/a')).text()).toBe('two');
    expect(origin.sent).toHaveLength(2);
  });

  test('a background request that fails leaves what is stored, and nothing unhandled', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=60'), body: 'one' },
      { error: 'ECONNRESET' },
    );
    clientFor({}, origin);
    await client.get('/a');
    for (const sent of [2, 3]) {
      await clock.advance(15_000);
      expect((await client.get('/a')).text()).toBe('one');
      await clock.advance(1);
      expect(origin.sent).toHaveLength(sent);
    }
  });

  test('closing waits for it', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=60'), body: 'one' },
      { status: 200, body: 'two', delayMs: 300, clock },
    );
    clientFor({}, origin);
    await client.get('/a');
    await clock.advance(15_000);
    await client.get('/a');
    let closed = false;
    const closing = client.close().then(() => (closed = true));
    await clock.advance(299);
    expect(closed).toBe(false);
    await clock.runUntil(closing);
  });
});

describe('what may not be kept', () => {
  test.each<[string, HttpCacheOptions['mode'], Step]>([
    ['no-store', 'private', { origin: withCacheControl('no-store, max-age=60') }],
    [
      'an answer to a request with no-store',
      'private',
      { headers: { 'cache-control': 'no-store' }, origin: withCacheControl('max-age=60') },
    ],
    ['a private answer, in a shared cache', 'shared', { origin: withCacheControl('private, max-age=60') }],
    [
      'an answer that varies by everything',
      'private',
      { origin: withCacheControl('max-age=60', { vary: 'accept, *' }) },
    ],
    [
      'an answer that varies by what no record holds',
      'private',
      { origin: withCacheControl('max-age=60', { vary: '__proto__' }) },
    ],
    [
      'one that varies by nobody knows what',
      'private',
      { origin: withCacheControl('max-age=60', { vary: 'accept cookie' }) },
    ],
    [
      'what is private twice, once without fields',
      'shared',
      { origin: withCacheControl('private="a", private, max-age=60') },
    ],
    [
      'a part',
      'private',
      { headers: { range: 'bytes=0-1' }, origin: { status: 206, ...withCacheControl('max-age=60') }, status: 206 },
    ],
    [
      'a status nobody knows, with must-understand',
      'private',
      { origin: { status: 299, ...withCacheControl('max-age=60, no-store, must-understand') }, status: 299 },
    ],
    ['an answer without a word about freshness', 'private', { origin: { status: 201 }, status: 201 }],
  ])('%s', (_, mode = 'private', first) => run({ mode }, [first, { body: 'body 2' }]));

  test('must-understand lets a status that is known be kept', () =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=60, no-store, must-understand') },
      { forwarded: false },
    ]));

  test('an answer that came by way of a redirect is not that of the first URL', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 200, ...withCacheControl('max-age=60'), body: 'b' },
    );
    clientFor({}, origin, { redirects: {} });
    await clock.runUntil(client.get('/a'));
    await clock.runUntil(client.get('/a'));
    expect(origin.sent.map(({ path }) => path)).toEqual(['/a', '/b', '/a']);
  });
});

describe('negotiated answers', () => {
  test('lie beside each other, chosen by what Vary names and by nothing else', () =>
    run({ mode: 'private' }, [
      { headers: { 'x-plan': 'a', other: '1' }, origin: withCacheControl('max-age=60', { vary: 'X-Plan' }) },
      { headers: { 'x-plan': 'b' }, origin: withCacheControl('max-age=60', { vary: 'x-plan' }) },
      { origin: withCacheControl('max-age=60', { vary: 'x-plan' }) },
      { headers: { 'x-plan': 'a', other: '2' }, forwarded: false, body: 'body 1' },
      { headers: { 'x-plan': 'b' }, forwarded: false, body: 'body 2' },
      { forwarded: false, body: 'body 3' },
      { headers: { 'x-plan': 'c' } },
    ]));

  test('are chosen by meaning: white space, repeated fields, order and case of languages', () =>
    run({ mode: 'private' }, [
      {
        headers: { 'x-list': '1, 2', 'accept-language': 'en, de;q=0.5' },
        origin: withCacheControl('max-age=60', { vary: 'x-list, accept-language' }),
      },
      { headers: { 'x-list': ['1', '2'], 'accept-language': 'DE; q=0.5,en' }, forwarded: false },
      { headers: { 'x-list': '2, 1', 'accept-language': 'en, de;q=0.5' } },
    ]));
});

describe('an answer in the language that is preferred to all others', () => {
  const german: Step = {
    headers: { 'accept-language': 'en, de' },
    origin: withCacheControl('max-age=60', { vary: 'Accept-Language', 'content-language': 'de' }),
  };

  test.each(['de', 'fr;q=0.5, de;q=1.0', 'DE ; q=0.9, *;q=0.1', 'de;q=0.2'])('answers %s', (language) =>
    run({ mode: 'private' }, [german, { headers: { 'accept-language': language }, forwarded: false }]),
  );

  test.each(['fr, de;q=0.5', 'fr, de', 'de-at', '*', 'de;q=0', 'de;q=high', 'de;q=1;x=1'])(
    'does not answer %s',
    (language) => run({ mode: 'private' }, [german, { headers: { 'accept-language': language } }]),
  );

  test('does not answer who has no preference', () => run({ mode: 'private' }, [german, {}]));

  test('does not answer when something else matters, too', () =>
    run({ mode: 'private' }, [
      { ...german, origin: withCacheControl('max-age=60', { vary: 'Accept-Language, X-A', 'content-language': 'de' }) },
      { headers: { 'accept-language': 'de', 'x-a': '1' } },
    ]));
});

describe('credentials', () => {
  const signed = (authorization: string): Step => ({ headers: { authorization } });
  test('AC35: no two share an answer in a private cache (undici #5012)', () =>
    run({ mode: 'private' }, [
      { ...signed('Bearer a'), origin: withCacheControl('max-age=60') },
      signed('Bearer b'),
      {},
      { ...signed('Bearer a'), forwarded: false, body: 'body 1' },
    ]));

  test('no two cookies share an answer; what came without a cookie is for all', () =>
    run({ mode: 'private' }, [
      { headers: { cookie: 'id=1' }, origin: withCacheControl('max-age=60') },
      { headers: { cookie: 'id=2' }, origin: withCacheControl('max-age=60') },
      { path: '/b', origin: withCacheControl('max-age=60') },
      { path: '/b', headers: { cookie: 'id=3' }, forwarded: false },
      { headers: { cookie: 'id=1' }, forwarded: false, body: 'body 1' },
    ]));

  test('keep an answer out of a shared cache', () =>
    run({ mode: 'shared' }, [{ ...signed('Bearer a'), origin: withCacheControl('max-age=60') }, {}]));

  test.each(['public, max-age=60', 's-maxage=60', 'must-revalidate, max-age=60'])(
    'unless the server says %s',
    (control) =>
      run({ mode: 'shared' }, [{ ...signed('Bearer a'), origin: withCacheControl(control) }, { forwarded: false }]),
  );

  test('added on the way count too', () =>
    run(
      { mode: 'shared' },
      [
        { origin: withCacheControl('max-age=60') },
        { origin: withCacheControl('public, max-age=60') },
        { forwarded: false },
      ],
      {
        auth: { authorize: () => ({ authorization: 'Bearer a' }) },
      },
    ));

  test('do not lie in the store', async () => {
    const seen: unknown[] = [];
    const store = { get: () => undefined, set: (...put: unknown[]) => void seen.push(put), delete: () => undefined };
    clientFor({ store }, scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') }));
    await client.get('/a', { headers: { authorization: 'Bearer topsecret', cookie: 'id=topsecret' } });
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain('topsecret');
  });
});

describe('a call that changes something', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'])('%s outdates what is stored', (method) =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=60') },
      { forwarded: false },
      { method },
      { body: 'body 4' },
    ]),
  );

  test('outdates what Location and Content-Location name on the same origin, and nothing elsewhere', async () => {
    const { cache } = await runScenario(clock, { mode: 'private' }, [
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

  test.each([400, 500])('but not when it failed, with %s', (status) =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=60') },
      { method: 'POST', origin: { status }, status },
      { forwarded: false },
    ]),
  );

  test('outdates also what was asked for before and comes after', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60'), body: 'old', delayMs: 100, clock },
      { status: 204 },
      { status: 200, ...withCacheControl('max-age=60'), body: 'new' },
    );
    clientFor({}, origin);
    const early = client.get('/a');
    await clock.advance(10);
    await client.post('/a');
    await clock.advance(100);
    expect((await early).text()).toBe('old');
    expect((await client.get('/a')).text()).toBe('new');
  });
});

describe('an answer to POST', () => {
  const same = { 'content-location': '/a' };

  test.each<[string, Script]>([
    ['max-age', withCacheControl('max-age=60', same)],
    ['Expires', { headers: { expires: httpDate(60_000), date: httpDate(0), ...same } }],
    ['the whole URL', withCacheControl('max-age=60', { 'content-location': 'https://prices.example.com/a' })],
  ])('that says it is what GET is given, and for how long, is kept for GET: %s', (_, origin) =>
    run({ mode: 'private' }, [
      { method: 'POST', origin },
      { forwarded: false, body: 'body 1' },
      { method: 'POST', origin },
    ]),
  );

  test.each<[string, Script]>([
    ['of something else', withCacheControl('max-age=60', { 'content-location': '/b' })],
    [
      'of this place elsewhere',
      withCacheControl('max-age=60', { 'content-location': 'https://elsewhere.example.com/a' }),
    ],
    ['that is not described', withCacheControl('max-age=60')],
    ['whose time would be guessed', withCacheControl('public', { ...same, 'last-modified': httpDate(-1e9) })],
    ['that has made something', { status: 201, ...withCacheControl('max-age=60', same) }],
    ['that must not be stored', withCacheControl('max-age=60, no-store', same)],
  ])('is not kept: %s', (_, origin) =>
    run({ mode: 'private' }, [{ method: 'POST', origin, status: origin.status ?? 200 }, {}]),
  );

  test('is not kept when something has changed meanwhile', async () => {
    const slow = { status: 200, ...withCacheControl('max-age=60', same), body: 'old', clock, delayMs: 100 };
    const origin = scriptedDispatcher(slow, { status: 204 }, { status: 200, body: 'new' });
    clientFor({}, origin);
    const posted = client.post('/a', { json: 1 });
    await client.put('/a', { json: 2 });
    await clock.runUntil(posted);
    expect((await client.get('/a')).text()).toBe('new');
  });

  test('is not kept when it came from PUT', () =>
    run({ mode: 'private' }, [{ method: 'PUT', origin: withCacheControl('max-age=60', same) }, {}]));
});

describe('conditional calls of the caller', () => {
  test.each<[string, Step[]]>([
    [
      'are answered with 304 from what is fresh',
      [
        { origin: withCacheControl('max-age=60', { etag: 'W/"1"' }) },
        {
          headers: { 'if-none-match': '"0", "1"' },
          forwarded: false,
          status: 304,
          body: '',
          responseHeaders: { etag: 'W/"1"' },
        },
        { headers: { 'if-none-match': '"0"' }, forwarded: false, status: 200 },
        { headers: { 'if-none-match': '*' }, forwarded: false, status: 304 },
      ],
    ],
    [
      'by date, unless there is a tag',
      [
        { origin: withCacheControl('max-age=60', { etag: '"1"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }) },
        { headers: { 'if-modified-since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, forwarded: false, status: 304 },
        { headers: { 'if-modified-since': 'Sun, 06 Nov 1994 08:49:36 GMT' }, forwarded: false, status: 200 },
        {
          headers: { 'if-none-match': '"0"', 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' },
          forwarded: false,
          status: 200,
        },
      ],
    ],
    [
      'go on as they are when it is stale, and get the answer as it is',
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          headers: { 'if-none-match': '"0"' },
          forwardedHeaders: { 'if-none-match': '"0"' },
          origin: { status: 304, body: [] },
          status: 304,
        },
      ],
    ],
    [
      'about what only the origin can judge go there',
      [{ origin: withCacheControl('max-age=60', { etag: '"1"' }) }, { headers: { 'if-match': '"1"' } }],
    ],
    [
      'with only-if-cached never go there',
      [{ headers: { 'cache-control': 'only-if-cached' }, forwarded: false, status: 504 }],
    ],
  ])('%s', (_, steps) => run({ mode: 'private' }, steps));
});

describe('HEAD', () => {
  test('freshens what it describes', () =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=10', { etag: '"1"', 'x-a': 'old' }) },
      {
        afterSeconds: 15,
        method: 'HEAD',
        origin: { ...withCacheControl('max-age=60', { etag: '"1"', 'x-a': 'new' }), body: [] },
        forwardedHeaders: { 'if-none-match': null },
      },
      { afterSeconds: 30, forwarded: false, body: 'body 1', responseHeaders: { 'x-a': 'new' } },
    ]));

  test('outdates what it does not', () =>
    run({ mode: 'private' }, [
      { origin: withCacheControl('max-age=60', { etag: '"1"' }) },
      { method: 'HEAD', headers: { 'cache-control': 'no-cache' }, origin: { headers: { etag: '"2"' }, body: [] } },
      { forwardedHeaders: { 'if-none-match': '"1"' } },
    ]));
});

describe('the store', () => {
  test('may be slow or broken: the call goes on without it', async () => {
    const never = new Promise<never>(() => {});
    for (const store of [
      { get: () => never, set: () => never, delete: () => never },
      {
        get: () => {
          throw new Error('down');
        },
        set: () => Promise.reject(new Error('down')),
        delete: () => {
          throw new Error('down');
        },
      },
    ]) {
      clientFor({ store }, scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'fine' }));
      expect((await clock.runUntil(client.get('/a'))).text()).toBe('fine');
      await clock.runUntil(client.post('/a'));
      expect(client.stats().cache?.storeFailures).toBeGreaterThan(2);
      await client.close();
    }
  });

  test('in another process gets plain data, and how long it is of use', async () => {
    const kept = new Map<string, string>();
    const times: number[] = [];
    const store = {
      get: async (key: string) => (kept.has(key) ? (JSON.parse(kept.get(key) as string, revive) as never) : undefined),
      set: async (key: string, value: unknown, keepForMs: number) => {
        times.push(keepForMs);
        kept.set(
          key,
          JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? { bytes: [...v] } : v)),
        );
      },
      delete: async (key: string) => void kept.delete(key),
    };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60, stale-if-error=30'), body: 'one' },
      { status: 200, ...withCacheControl('max-age=60') },
      { status: 200, ...withCacheControl('max-age=60, must-revalidate') },
      { status: 200, ...withCacheControl('max-age=0') },
    );
    clientFor({ store }, origin);
    await client.get('/a');
    expect((await client.get('/a')).text()).toBe('one');
    expect([...kept.keys()]).toEqual(['private https://prices.example.com/a']);
    for (const path of ['/b', '/c', '/d']) await client.get(path);
    expect(times).toEqual([90_000, 3_660_000, 60_000]);
  });

  test('is bounded by entries and by bytes, the least recently used going first', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'x'.repeat(1_000) });
    clientFor({ maxEntries: 2, maxBytes: 100_000 }, origin);
    for (const path of ['/a', '/b', '/a', '/c', '/a']) await client.get(path);
    expect(origin.sent.map(({ path }) => path)).toEqual(['/a', '/b', '/c']);
    expect(client.stats().cache).toMatchObject({ entries: 2, hits: 2, misses: 3 });
    for (let i = 0; i < 200; i++) await client.get('/many', { headers: { authorization: `${i}` } });
    expect(client.stats().cache?.bytes).toBeLessThan(100_000);
  });
});

test('describe() says that there is a cache', () => {
  clientFor({ mode: 'shared' }, scriptedDispatcher({}));
  expect(client.describe()).toContain(
    'stores responses in a shared cache (RFC 9111), in memory: up to 10000 URLs, 67108864 bytes',
  );
});

test.each<[string, unknown]>([
  ['cache.mode', { mode: 'public' }],
  ['cache.maxEntries', { maxEntries: 0 }],
  ['cache.maxBytes', { maxBytes: 1.5 }],
  ['cache.store', { store: {} }],
  ['cache.maxEntries', { maxEntries: 5, store: { get() {}, set() {}, delete() {} } }],
  ['cache.ttlMs', { ttlMs: 5 }],
])('refuses a wrong %s', (path, cache) => {
  clientFor({}, scriptedDispatcher({}));
  const make = () => createHttpClient({ baseUrl: 'https://prices.example.com', cache: cache as HttpCacheOptions });
  expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }));
});

function revive(_: string, value: unknown): unknown {
  const bytes = (value as { bytes?: number[] } | null)?.bytes;
  return Array.isArray(bytes) ? Uint8Array.from(bytes) : value;
}

describe('fetch', () => {
  test('goes through the cache, and reads whole what may be kept', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60', { 'set-cookie': ['a=1', 'b=2'] }), body: ['one ', 'body'] },
      { status: 204 },
      { status: 200, body: 'new' },
    );
    clientFor({ mode: 'shared' }, origin);
    const url = 'https://prices.example.com/a';
    expect(await (await client.fetch(url)).text()).toBe('one body');
    const second = await client.fetch(url, { headers: { accept: '*/*' } });
    expect(await second.text()).toBe('one body');
    expect(second.headers.get('age')).toBe('0');
    expect(second.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    await client.fetch(url, { method: 'POST', body: 'x' });
    expect(await (await client.fetch(url)).text()).toBe('new');
    expect(origin.sent).toHaveLength(3);
  });

  test('is told of a redirect, and keeps what cannot be decoded as it is', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 200, ...withCacheControl('max-age=60', { 'content-encoding': 'rot13' }), body: 'uryyb' },
      { status: 302, ...withCacheControl('max-age=60', { location: '/c' }) },
    );
    clientFor({}, origin);
    const url = 'https://prices.example.com';
    const followed = await clock.runUntil(client.fetch(`${url}/a`));
    expect([followed.url, followed.redirected, await followed.text()]).toEqual([`${url}/b`, true, 'uryyb']);
    for (let i = 0; i < 2; i++) {
      const moved = await client.fetch(`${url}/d`, { redirect: 'manual' });
      expect([moved.status, moved.headers.get('location')]).toEqual([302, '/c']);
    }
    expect(origin.sent.map(({ path }) => path)).toEqual(['/a', '/b', '/d']);
  });

  test.each(['must-revalidate', 'no-cache', 'proxy-revalidate', 's-maxage=1'])(
    'answers 504 when what is stale must not be used, and the origin cannot be reached: %s',
    async (directive) => {
      const origin = scriptedDispatcher(
        { status: 200, ...withCacheControl(`max-age=1, ${directive}`) },
        { error: 'ECONNRESET' },
      );
      clientFor({}, origin);
      await client.fetch('/a');
      await clock.advance(2_000);
      const response = await client.fetch('/a');
      expect([response.status, response.headers.get('cache-status')]).toEqual([504, 'prices; fwd=stale']);
      await expect(client.get('/a')).rejects.toMatchObject({ code: 'MAC_HTTP_NETWORK', errorCode: 'ECONNRESET' });
    },
  );

  test('rejects when there is nothing that may stand in', async () => {
    clientFor({}, scriptedDispatcher({ status: 200, ...withCacheControl('max-age=0') }, { error: 'ECONNRESET' }));
    await client.fetch('/a');
    await clock.advance(2_000);
    await expect(client.fetch('/a')).rejects.toMatchObject({ code: 'MAC_HTTP_NETWORK' });
  });

  test('streams what may not be kept, and what is too large to be', async () => {
    const endless: Script = { status: 200, body: ['one ', 'two'], stalls: true };
    const scripts = [
      { ...endless, ...withCacheControl('no-store') },
      { ...endless, ...withCacheControl('max-age=60', { 'content-length': '9000' }) },
      { ...endless, status: 206, ...withCacheControl('no-store') },
    ];
    clientFor({}, scriptedDispatcher(...scripts), { responseLimits: { maxBytes: 100 } });
    for (const _ of scripts) {
      const { body } = await client.fetch('/a');
      const reader = (body as ReadableStream<Uint8Array>).getReader();
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('one ');
      await reader.cancel();
    }
    expect(client.stats().cache?.entries).toBe(0);
  });

  test('keeps an answer to POST for GET, and streams others', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60', { 'content-location': '/a' }), body: 'kept' },
      { status: 200, ...withCacheControl('max-age=60'), body: ['streamed'], stalls: true },
    );
    clientFor({}, origin);
    await (await client.fetch('/a', { method: 'POST', body: 'x' })).text();
    expect(await (await client.fetch('/a')).text()).toBe('kept');
    const { body } = await client.fetch('/a', { method: 'POST', body: 'x' });
    await body?.cancel();
    expect(origin.sent).toHaveLength(2);
  });

  test('renews in the background what it would stream by now', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1, stale-while-revalidate=9'), body: 'old' },
      { status: 200, ...withCacheControl('no-store'), body: 'new' },
    );
    clientFor({}, origin);
    await client.fetch('/a');
    await clock.advance(2_000);
    expect(await (await client.fetch('/a')).text()).toBe('old');
    await client.close();
    expect(origin.sent).toHaveLength(2);
  });

  test('tells the text of a status, of what is kept only the first time', async () => {
    await using upstream = await startFaultServer({ handle: () => ({ headers: { 'cache-control': 'max-age=60' } }) });
    await using real = createHttpClient({ baseUrl: upstream.url, cache: {} });
    const texts = [await real.fetch('/a'), await real.fetch('/a')].map(({ statusText }) => statusText);
    expect(texts).toEqual(['OK', '']);
  });

  test('does not tell the text of a 304 with the answer that is good again', async () => {
    await using upstream = await startFaultServer({
      handle: ({ headers }) => ({
        status: headers['if-none-match'] === undefined ? 200 : 304,
        headers: { 'cache-control': 'no-cache', etag: '"1"' },
      }),
    });
    await using real = createHttpClient({ baseUrl: upstream.url, cache: {} });
    await real.fetch('/a');
    expect(await real.fetch('/a')).toMatchObject({ status: 200, statusText: '' });
  });

  test('tells a status that no standard knows', async () => {
    clientFor({}, scriptedDispatcher({ status: 999, body: 'odd' }));
    const response = await client.fetch('/a');
    expect([response.status, response.ok, await response.text()]).toEqual([999, false, 'odd']);
  });
});
