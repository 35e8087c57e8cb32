/** When a stored response is served: fresh, stale, or while it is revalidated (RFC 9111, section 4.2; RFC 5861). */
import { runWork } from '@macadam/core';
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

describe('a fresh stored response', () => {
  test.each<[string, CacheMode, Step[]]>([
    [
      'is served without a request to the origin, with its age',
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
      'counts the Age it arrived with',
      'private',
      [
        { origin: withCacheControl('max-age=60', { age: '50' }) },
        { afterSeconds: 9, forwarded: false, responseHeaders: { age: '59' } },
        { afterSeconds: 2 },
      ],
    ],
    [
      'is fresh by s-maxage in a shared cache',
      'shared',
      [
        { origin: withCacheControl('max-age=1, s-maxage=60') },
        { afterSeconds: 30, forwarded: false },
        { afterSeconds: 31 },
      ],
    ],
    [
      'ignores s-maxage in a private cache',
      'private',
      [{ origin: withCacheControl('max-age=1, s-maxage=60') }, { afterSeconds: 30 }],
    ],
    [
      'answers HEAD, without its body',
      'private',
      [{ origin: withCacheControl('max-age=60') }, { method: 'HEAD', forwarded: false, body: '' }],
    ],
    [
      'with an error status is served with that status',
      'private',
      [
        { origin: { status: 404, ...withCacheControl('max-age=60') }, status: 404 },
        { forwarded: false, status: 404, body: 'body 1' },
      ],
    ],
    [
      'answers only requests with the same query',
      'private',
      [
        { path: '/a?x=1', origin: withCacheControl('max-age=60') },
        { path: '/a?x=2' },
        { path: '/a?x=1', forwarded: false },
      ],
    ],
    [
      'does not answer a request whose max-age, no-cache, min-fresh or no-store it does not meet',
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
      'that is immutable answers a request with max-age=0, but not one with no-cache',
      'private',
      [
        { origin: withCacheControl('max-age=60, immutable') },
        { afterSeconds: 10, headers: { 'cache-control': 'max-age=0' }, forwarded: false },
        { headers: { 'cache-control': 'no-cache' } },
      ],
    ],
  ])('%s', (_, mode, steps) => run(steps, mode));

  test('is stored without hop-by-hop fields and without fields that no-cache names', () =>
    run([
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

  test('is not served to a call whose signal is aborted or whose deadline has passed', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    await using client = clientFor(origin);
    await client.get('/a');
    const signal = AbortSignal.abort(new Error('gone'));
    for (const call of [() => client.get('/a', { signal }), () => client.fetch('/a', { signal })]) {
      await expect(call()).rejects.toBe(signal.reason);
    }
    await expect(runWork({ signal, clock }, () => client.get('/a'))).rejects.toBe(signal.reason);
    await runWork({ timeoutMs: 100, clock }, async () => {
      clock.advanceSync(100);
      await expect(client.get('/a')).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    });
    expect(origin.sent).toHaveLength(1);
    expect(client.stats().cache?.hits).toBe(0);
  });

  test('ages by the monotonic clock while the wall clock is set back', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    await using client = clientFor(origin);
    await client.get('/a');
    await clock.advance(50_000);
    clock.jump(-40_000);
    expect((await client.get('/a')).headers.get('age')).toBe('50');
    await clock.advance(10_000);
    await client.get('/a');
    expect(origin.sent).toHaveLength(2);
    clock.jump(-3_600_000);
    expect((await client.get('/a')).headers.get('age')).toBe('0');
    await clock.advance(60_000);
    await client.get('/a');
    expect(origin.sent).toHaveLength(3);
  });

  test('does not change when a caller changes the bytes it received', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'abc' });
    await using client = clientFor(origin);
    (await client.get('/a')).bytes().fill(0);
    (await client.get('/a')).bytes().fill(0);
    expect((await client.get('/a')).text()).toBe('abc');
    expect(origin.sent).toHaveLength(1);
  });
});

describe('a stale stored response', () => {
  test.each<[string, Step[]]>([
    [
      'is served within max-stale of the request',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, headers: { 'cache-control': 'max-stale=5' }, forwarded: false },
        { afterSeconds: 1, headers: { 'cache-control': 'max-stale=5' } },
      ],
    ],
    [
      'is served however stale it is when max-stale has no value',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 1_000, headers: { 'cache-control': 'max-stale' }, forwarded: false },
      ],
    ],
    [
      'is served instead of an error status within stale-if-error',
      [
        { origin: withCacheControl('max-age=10, stale-if-error=20') },
        {
          afterSeconds: 30,
          origin: { status: 503, headers: {} },
          body: 'body 1',
          responseHeaders: { 'cache-status': 'prices; fwd=stale; ttl=-20' },
        },
        { afterSeconds: 1, origin: { status: 503, headers: {} }, status: 503 },
      ],
    ],
    [
      'AC34: is served when the origin is unreachable, within stale-if-error (undici #5507)',
      [
        { origin: withCacheControl('max-age=10, stale-if-error=20') },
        { afterSeconds: 15, origin: { error: 'ECONNREFUSED', unsent: true }, body: 'body 1' },
        { origin: { error: 'ECONNRESET' }, body: 'body 1' },
        { afterSeconds: 20, origin: { error: 'ECONNREFUSED', unsent: true }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'is served for an hour when the origin is unreachable and no directive says otherwise (RFC 9111, section 4.2.4)',
      [
        { origin: withCacheControl('max-age=10') },
        {
          afterSeconds: 15,
          origin: { error: 'ECONNREFUSED', unsent: true },
          body: 'body 1',
          responseHeaders: { age: '15', 'cache-status': 'prices; fwd=stale; ttl=-5' },
        },
        { afterSeconds: 3_595, origin: { error: 'ECONNRESET' }, body: 'body 1' },
        { afterSeconds: 1, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'is not served instead of an error status without stale-if-error',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, origin: { status: 503, headers: {} }, status: 503 },
      ],
    ],
    [
      'is not served for an unreachable origin when it never was fresh, or was invalidated',
      [
        { origin: withCacheControl('max-age=0') },
        { afterSeconds: 1, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
        { path: '/b', origin: withCacheControl('max-age=10', { etag: '"1"' }) },
        { path: '/b', afterSeconds: 15, method: 'HEAD', origin: { headers: { etag: '"2"' }, body: [] } },
        { path: '/b', origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
    [
      'is not served for an unreachable origin when the request has a freshness directive',
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
      'is served instead of an error status within stale-if-error of the request',
      [
        { origin: withCacheControl('max-age=10') },
        { afterSeconds: 15, headers: { 'cache-control': 'stale-if-error=5' }, origin: { status: 500 }, body: 'body 1' },
      ],
    ],
    [
      'AC33: is never served with must-revalidate, whatever else allows it (undici #5508)',
      [
        { origin: withCacheControl('max-age=10, must-revalidate, stale-if-error=60, stale-while-revalidate=60') },
        { afterSeconds: 15, headers: { 'cache-control': 'max-stale=60' }, origin: { status: 503 }, status: 503 },
        { origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
    ],
  ])('%s', (_, steps) => run(steps));

  test.each(['proxy-revalidate, max-age=10', 's-maxage=10'])('is never served by a shared cache with %s', (control) =>
    run(
      [
        { origin: withCacheControl(`${control}, stale-if-error=60`) },
        { afterSeconds: 15, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ],
      'shared',
    ),
  );

  test.each(['proxy-revalidate', 's-maxage=5', 'no-cache="x-a"', 'stale-if-error=none'])(
    'is not served for an unreachable origin by a private cache with %s',
    (control) =>
      run([
        { origin: withCacheControl(`max-age=10, ${control}`) },
        { afterSeconds: 15, origin: { error: 'ECONNRESET' }, errorCode: 'MAC_HTTP_NETWORK' },
      ]),
  );

  test('is served within stale-if-error when the bulkhead is full', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1, stale-if-error=60'), body: 'one' },
      {},
    );
    await using client = clientFor(origin, {}, { bulkhead: { maxConcurrent: 1 } });
    await client.get('/a');
    await clock.advance(5_000);
    const hanging = client.get('/b');
    expect((await client.get('/a')).text()).toBe('one');
    await clock.runUntil(hanging.catch(() => undefined));
  });
});

test.each<[string, Partial<HttpClientOptions>, string]>([
  ['adaptive limit', { adaptiveConcurrency: { initial: 1, min: 1, max: 1 } }, 'MAC_CONCURRENCY_LIMITED'],
])('a stale response is served when the %s refuses the request', async (_, options, code) => {
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

test('a fresh response is not served when a reload by the caller fails', () =>
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

describe('stale-while-revalidate', () => {
  test('AC32: serves at once and revalidates once in the background; the 304 freshens the stored response (undici #4471, #3853, #4596)', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=20', { etag: '"1"' }), body: 'one' },
      { status: 304, headers: { etag: '"1"', 'cache-control': 'max-age=100' } },
    );
    await using client = clientFor(origin);
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

  test('is not applied after its seconds', () =>
    run([{ origin: withCacheControl('max-age=10, stale-while-revalidate=20') }, { afterSeconds: 31, body: 'body 2' }]));

  test('goes on when the call and the work that started it are aborted', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=20'), body: 'one' },
      { status: 200, ...withCacheControl('max-age=10'), body: 'two', delayMs: 300, clock },
    );
    await using client = clientFor(origin);
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

  test('goes on when the time limits of the call that started it pass', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=20'), body: 'one' },
      { status: 200, ...withCacheControl('max-age=10'), body: 'two', delayMs: 300, clock },
    );
    await using client = clientFor(origin);
    await client.get('/a');
    await clock.advance(15_000);
    await client.get('/a', { timeoutMs: 100, attemptTimeoutMs: 50 });
    await clock.advance(1_000);
    expect((await client.get('/a')).text()).toBe('two');
    expect(origin.sent).toHaveLength(2);
  });

  test('stores the response of a retry with the age that it has since the retry was sent', async () => {
    const control = withCacheControl('max-age=5, stale-while-revalidate=60');
    const origin = scriptedDispatcher(
      { status: 200, ...control, body: 'one' },
      { status: 503, headers: { 'retry-after': '8' } },
      { status: 200, ...control, body: 'two' },
    );
    await using client = clientFor(origin, {}, { retry: {}, timeoutMs: 60_000 });
    await client.get('/a');
    await clock.advance(6_000);
    await client.get('/a');
    await clock.advance(9_000);
    const { headers } = await client.get('/a');
    expect([headers.get('age'), headers.get('cache-status')]).toEqual(['1', 'prices; hit; ttl=4']);
  });

  test('keeps the stored response when the revalidation fails, without an unhandled rejection', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=60'), body: 'one' },
      { error: 'ECONNRESET' },
    );
    await using client = clientFor(origin);
    await client.get('/a');
    for (const sent of [2, 3]) {
      await clock.advance(15_000);
      expect((await client.get('/a')).text()).toBe('one');
      await clock.advance(1);
      expect(origin.sent).toHaveLength(sent);
    }
  });

  test('client.close() waits for the revalidation', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-while-revalidate=60'), body: 'one' },
      { status: 200, body: 'two', delayMs: 300, clock },
    );
    await using client = clientFor(origin);
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

describe('the revalidation in the background', () => {
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

  test('validates the stored response, without the conditions and the range of the caller', async () => {
    const origin = await refreshed({ 'if-none-match': '"0"', range: 'bytes=0-0', 'x-plan': 'a' });
    expect(origin.headersOf(1)).toMatchObject({ 'if-none-match': '"1"', 'x-plan': 'a' });
    expect(origin.headersOf(1)).not.toHaveProperty('range');
  });

  test('is not started by a request with only-if-cached', async () => {
    expect((await refreshed({ 'cache-control': 'only-if-cached' })).sent).toHaveLength(1);
  });

  test('is sent by a client that was created in work that has ended', async () => {
    const origin = scriptedDispatcher(old, { status: 200, ...withCacheControl('max-age=60'), body: 'new' });
    await using client = await runWork({ timeoutMs: 100, clock }, async () => clientFor(origin, {}));
    await client.get('/a');
    await clock.advance(15_000);
    await client.get('/a');
    await clock.advance(1);
    expect((await client.get('/a')).text()).toBe('new');
  });
});
