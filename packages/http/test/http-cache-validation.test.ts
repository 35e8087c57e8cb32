/** Conditional requests, 304, and responses to HEAD (RFC 9111, section 4.3). */
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

describe('validation of a stored response (RFC 9111, section 4.3)', () => {
  test.each<[string, Step[]]>([
    [
      'freshens it by a 304 with its fields, except those that describe the body',
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
      'uses If-Modified-Since when it has only Last-Modified',
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
      'uses If-None-Match, although it is fresh, when it has no-cache',
      [
        { origin: withCacheControl('max-age=60, no-cache', { etag: '"1"' }) },
        { forwardedHeaders: { 'if-none-match': '"1"' } },
      ],
    ],
  ])('%s', (_, steps) => run(steps));
});

test('a validator that cannot be sent in a header does not fail the call', () =>
  run([
    { origin: withCacheControl('max-age=10', { etag: '"\u65e5"', 'last-modified': httpDate(-1e6) }) },
    {
      afterSeconds: 15,
      forwardedHeaders: { 'if-none-match': null, 'if-modified-since': httpDate(-1e6) },
      origin: { status: 304, body: [] },
      body: 'body 1',
    },
    {
      ...{ path: '/b', headers: { range: 'bytes=0-1' } },
      status: 206,
      origin: {
        status: 206,
        ...withCacheControl('max-age=60', { etag: '"\u65e5"', 'content-range': 'bytes 0-1/4' }),
        body: 'ab',
      },
    },
    { path: '/b', forwardedHeaders: { range: null } },
  ]));

describe('a 304', () => {
  test.each<[string, Step[]]>([
    [
      'about the entity tag of the caller does not freshen a stored response with another tag',
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
      'whose no-cache names a stored field removes that field',
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
      'does not add a field that the stored no-cache names',
      [
        { origin: withCacheControl('max-age=10, no-cache="x-token"', { etag: '"1"' }) },
        { afterSeconds: 15, origin: { status: 304, headers: { etag: '"1"', 'x-token': 'b' }, body: [] } },
        { forwarded: false, body: 'body 1', responseHeaders: { 'x-token': null } },
      ],
    ],
    [
      'about the If-Modified-Since of the caller does not freshen a stored response with another date',
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
      'about the entity tag of the caller freshens a stored response with the same tag',
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
      'with no-store removes the stored response',
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
      'with Vary changes the selecting fields of the stored response',
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
  ])('%s', (_, steps) => run(steps));

  test('with private removes the stored response from a shared cache', () =>
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

  test.each(['GET', 'HEAD'])(
    'after a redirect does not freshen the stored response of the first URL: %s',
    async (method) => {
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
    },
  );

  test('about another version is discarded, and the response is requested again without conditions', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1', { etag: '"1"' }), body: 'one' },
      { status: 304, headers: { etag: '"2"' } },
      { status: 200, headers: { etag: '"2"' }, body: 'two' },
    );
    await using client = clientFor(origin);
    await client.get('/a');
    await clock.advance(5_000);
    expect((await client.get('/a')).text()).toBe('two');
    expect(origin.headersOf(2)['if-none-match']).toBeUndefined();
  });
});

describe('a conditional request of the caller', () => {
  test.each<[string, Step[]]>([
    [
      'is answered with 304 from a fresh stored response with the same entity tag',
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
        {
          headers: { 'if-none-match': '*' },
          forwarded: false,
          status: 304,
          responseHeaders: { 'cache-status': 'prices; hit; ttl=60' },
        },
      ],
    ],
    [
      'is answered with 304 from a stale stored response when the origin is unreachable, and Cache-Status says so',
      [
        { origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        {
          afterSeconds: 15,
          headers: { 'if-none-match': '"1"' },
          origin: { error: 'ECONNREFUSED', unsent: true },
          status: 304,
          responseHeaders: { 'cache-status': 'prices; fwd=stale; ttl=-5' },
        },
      ],
    ],
    [
      'is answered by If-Modified-Since only without If-None-Match',
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
      'is forwarded unchanged when the stored response is stale, and gets the response of the origin',
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
      'with If-Match is forwarded',
      [{ origin: withCacheControl('max-age=60', { etag: '"1"' }) }, { headers: { 'if-match': '"1"' } }],
    ],
    [
      'with only-if-cached gets a 504 when nothing is stored',
      [{ headers: { 'cache-control': 'only-if-cached' }, forwarded: false, status: 504 }],
    ],
  ])('%s', (_, steps) => run(steps));

  test('gets no 304 from a stored response outside 2xx (RFC 9110, section 13.2.1)', () =>
    run([
      { origin: { status: 404, ...withCacheControl('max-age=60', { etag: '"1"' }) }, status: 404 },
      { headers: { 'if-none-match': '"1"' }, forwarded: false, status: 404, body: 'body 1' },
      { headers: { 'if-modified-since': httpDate(1e6) }, forwarded: false, status: 404 },
    ]));
});

describe('a response to HEAD', () => {
  test('freshens the stored response that it describes', () =>
    run([
      { origin: withCacheControl('max-age=10', { etag: '"1"', 'x-a': 'old' }) },
      {
        afterSeconds: 15,
        method: 'HEAD',
        origin: { ...withCacheControl('max-age=60', { etag: '"1"', 'x-a': 'new' }), body: [] },
        forwardedHeaders: { 'if-none-match': null },
      },
      { afterSeconds: 30, forwarded: false, body: 'body 1', responseHeaders: { 'x-a': 'new' } },
    ]));

  test.each<[string, Step['origin'], Step['origin']]>([
    ['brings an entity tag that the stored one lacks', {}, { headers: { etag: '"1"' } }],
    ['lacks the entity tag of the stored one', { headers: { etag: '"1"' } }, {}],
    ['brings a modification date that the stored one lacks', {}, { headers: { 'last-modified': httpDate(-1e6) } }],
    ['has the length of another body', {}, { headers: { 'content-length': '7' } }],
  ])('invalidates the stored response when it %s (RFC 9111, section 4.3.5)', (_, stored, head) => {
    const script = (more: Step['origin']) => ({ ...more, ...withCacheControl('max-age=10', more?.headers) });
    return run([
      { origin: script(stored) },
      { afterSeconds: 15, method: 'HEAD', origin: { ...script(head), body: [] } },
      { body: 'body 3' },
    ]);
  });

  test('does not give its validators to a stored error', () =>
    run([
      { origin: { status: 404, ...withCacheControl('max-age=10') }, status: 404 },
      { afterSeconds: 15, method: 'HEAD', origin: { ...withCacheControl('max-age=10', { etag: '"1"' }), body: [] } },
      { forwardedHeaders: { 'if-none-match': null }, body: 'body 3' },
    ]));

  test('without validators updates a stored response without validators, but makes its body no younger', () => {
    const head: Step = { method: 'HEAD', origin: { ...withCacheControl('max-age=60', { 'x-a': 'new' }), body: [] } };
    return run([
      { origin: withCacheControl('max-age=10', { 'x-a': 'old' }) },
      { afterSeconds: 15, ...head },
      { afterSeconds: 30, forwarded: false, body: 'body 1', responseHeaders: { 'x-a': 'new', age: '45' } },
      // However often the server is asked with HEAD, the body is requested again when it is too old.
      { afterSeconds: 20, ...head },
      { body: 'body 5' },
    ]);
  });

  test('without validators does not bring back what an earlier response to HEAD has invalidated', () => {
    const head = (more: Record<string, string>): Step => ({
      method: 'HEAD',
      headers: { 'cache-control': 'no-cache' },
      origin: { ...withCacheControl('max-age=60', more), body: [] },
    });
    return run([
      { origin: withCacheControl('max-age=60') },
      head({ 'content-length': '7' }),
      head({}),
      { body: 'body 4' },
    ]);
  });

  test('without validators makes the body no younger when the wall clock is set back', async () => {
    const ok: Script = { status: 200, ...withCacheControl('max-age=60') };
    const origin = scriptedDispatcher({ ...ok, body: 'old' }, ok, ok, { ...ok, body: 'new' });
    await using client = clientFor(origin);
    await client.get('/a');
    clock.jump(-3_600_000);
    for (let i = 0; i < 2; i++) {
      await clock.advance(40_000);
      await client.head('/a', { headers: { 'cache-control': 'no-cache' } });
    }
    expect((await client.get('/a')).text()).toBe('new');
  });

  test('invalidates the stored response when its validators differ', () =>
    run([
      { origin: withCacheControl('max-age=60', { etag: '"1"' }) },
      { method: 'HEAD', headers: { 'cache-control': 'no-cache' }, origin: { headers: { etag: '"2"' }, body: [] } },
      { forwardedHeaders: { 'if-none-match': '"1"' } },
    ]));
});
