/** Conditional requests, 304, and responses to HEAD (RFC 9111, section 4.3). */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CacheMode, HttpCacheOptions, HttpClientOptions } from '../src/index.ts';
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
        { headers: { 'if-none-match': '*' }, forwarded: false, status: 304 },
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

  test('invalidates the stored response when its validators differ', () =>
    run([
      { origin: withCacheControl('max-age=60', { etag: '"1"' }) },
      { method: 'HEAD', headers: { 'cache-control': 'no-cache' }, origin: { headers: { etag: '"2"' }, body: [] } },
      { forwardedHeaders: { 'if-none-match': '"1"' } },
    ]));
});
