/** `fetch` of a client with a cache: what is streamed, what is stored, and what the response reports. */
import { startFaultServer, virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpCacheOptions, type HttpClientOptions } from '../src/index.ts';
import { cachingClient, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);

describe('fetch with a cache', () => {
  test('stores responses and serves them, until an unsafe request invalidates them', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60', { 'set-cookie': ['a=1', 'b=2'] }), body: ['one ', 'body'] },
      { status: 204 },
      { status: 200, body: 'new' },
    );
    await using client = clientFor(origin, { mode: 'shared' });
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

  test('reports a redirect, and stores a body with an unknown encoding as it is', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 200, ...withCacheControl('max-age=60', { 'content-encoding': 'rot13' }), body: 'uryyb' },
      { status: 302, ...withCacheControl('max-age=60', { location: '/c' }) },
    );
    await using client = clientFor(origin);
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
    'returns 504 when the origin is unreachable and the stale response requires validation: %s',
    async (directive) => {
      const origin = scriptedDispatcher(
        { status: 200, ...withCacheControl(`max-age=1, ${directive}`) },
        { error: 'ECONNRESET' },
      );
      await using client = clientFor(origin);
      await client.fetch('/a');
      await clock.advance(2_000);
      const response = await client.fetch('/a');
      expect([response.status, response.headers.get('cache-status')]).toEqual([504, 'prices; fwd=stale']);
      await expect(client.get('/a')).rejects.toMatchObject({ code: 'MAC_HTTP_NETWORK', errorCode: 'ECONNRESET' });
    },
  );

  test('rejects when the origin is unreachable and no stale response may be served', async () => {
    await using client = clientFor(
      scriptedDispatcher({ status: 200, ...withCacheControl('max-age=0') }, { error: 'ECONNRESET' }),
    );
    await client.fetch('/a');
    await clock.advance(2_000);
    await expect(client.fetch('/a')).rejects.toMatchObject({ code: 'MAC_HTTP_NETWORK' });
  });

  test('streams a body that must not be stored or is larger than responseLimits.maxBytes', async () => {
    const endless: Script = { status: 200, body: ['one ', 'two'], stalls: true };
    const scripts = [
      { ...endless, ...withCacheControl('no-store') },
      { ...endless, ...withCacheControl('max-age=60', { 'content-length': '9000' }) },
      { ...endless, status: 206, ...withCacheControl('no-store') },
    ];
    await using client = clientFor(scriptedDispatcher(...scripts), {}, { responseLimits: { maxBytes: 100 } });
    for (const _ of scripts) {
      const { body } = await client.fetch('/a');
      const reader = (body as ReadableStream<Uint8Array>).getReader();
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('one ');
      await reader.cancel();
    }
    expect(client.stats().cache?.entries).toBe(0);
  });

  test('stores a response to POST that may answer GET, and streams others', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60', { 'content-location': '/a' }), body: 'kept' },
      { status: 200, ...withCacheControl('max-age=60'), body: ['streamed'], stalls: true },
    );
    await using client = clientFor(origin);
    await (await client.fetch('/a', { method: 'POST', body: 'x' })).text();
    expect(await (await client.fetch('/a')).text()).toBe('kept');
    const { body } = await client.fetch('/a', { method: 'POST', body: 'x' });
    await body?.cancel();
    expect(origin.sent).toHaveLength(2);
  });

  test('revalidates in the background even if the new response is not storable', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=1, stale-while-revalidate=9'), body: 'old' },
      { status: 200, ...withCacheControl('no-store'), body: 'new' },
    );
    await using client = clientFor(origin);
    await client.fetch('/a');
    await clock.advance(2_000);
    expect(await (await client.fetch('/a')).text()).toBe('old');
    await client.close();
    expect(origin.sent).toHaveLength(2);
  });

  test('has the status text of the origin, and none for a stored response', async () => {
    await using upstream = await startFaultServer({ handle: () => ({ headers: { 'cache-control': 'max-age=60' } }) });
    await using real = createHttpClient({ baseUrl: upstream.url, cache: {} });
    const texts = [await real.fetch('/a'), await real.fetch('/a')].map(({ statusText }) => statusText);
    expect(texts).toEqual(['OK', '']);
  });

  test('has no status text when a 304 validated the stored response', async () => {
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

  test('returns a status that no standard defines', async () => {
    await using client = clientFor(scriptedDispatcher({ status: 999, body: 'odd' }));
    const response = await client.fetch('/a');
    expect([response.status, response.ok, await response.text()]).toEqual([999, false, 'odd']);
  });

  test('returns the whole body of a 404, with or without a cache directive', async () => {
    const text = 'x'.repeat(200_000);
    const responses = [{}, { 'cache-control': 'max-age=60' }, { 'cache-control': 'no-store' }];
    await using upstream = await startFaultServer({
      handle: ({ path }) => ({ status: 404, headers: responses[Number(path.slice(1))] as never, text }),
    });
    await using client = createHttpClient({ baseUrl: upstream.url, cache: {}, retry: false });
    for (const i of [0, 1, 2, 1]) expect((await (await client.fetch(`/${i}`)).text()).length).toBe(text.length);
    expect(upstream.requests).toHaveLength(3);
  });

  test('streams a response that could not be reused, such as events', async () => {
    const events: Script = { status: 200, body: ['data: 1\n\n'], stalls: true };
    const origin = scriptedDispatcher({ ...events, ...withCacheControl('no-cache') }, { ...events, headers: {} });
    await using client = clientFor(origin, {});
    for (let i = 0; i < 2; i++) {
      const reader = ((await client.fetch('/events')).body as ReadableStream<Uint8Array>).getReader();
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 1\n\n');
      await reader.cancel();
    }
  });

  test('streams a storable response as it arrives, and stores it when it has been read to its end', async () => {
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

  test('returns a body of any length, does not store one above maxBytes, and removes the response stored before', async () => {
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

  test.each(['GET', 'HEAD'])('reports url and redirected after redirects: %s', async (method) => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' }, body: 'over there' },
      { status: 200, ...withCacheControl('max-age=60'), body: 'here' },
    );
    await using client = clientFor(origin, {});
    const { url, redirected } = await clock.runUntil(client.fetch('/a', { method }));
    expect([url, redirected]).toEqual(['https://prices.example.com/b', true]);
  });

  test('reports no redirect of an earlier attempt', async () => {
    const origin = scriptedDispatcher(
      { status: 302, headers: { location: '/b' } },
      { status: 503 },
      { status: 200, ...withCacheControl('max-age=60') },
    );
    await using client = clientFor(origin, {}, { retry: { maxAttempts: 2 } });
    for (let i = 0; i < 2; i++) {
      const { url, redirected } = await clock.runUntil(client.fetch('/a'));
      expect([url, redirected]).toEqual(['https://prices.example.com/a', false]);
    }
    expect(origin.sent).toHaveLength(3);
  });

  test('reports no redirect for a stored response that is served instead of an error', async () => {
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=10, stale-if-error=600'), body: 'good' },
      { status: 302, headers: { location: '/down' } },
      { status: 503 },
    );
    await using client = clientFor(origin);
    await client.fetch('/a');
    await clock.advance(15_000);
    const response = await clock.runUntil(client.fetch('/a'));
    expect([response.url, response.redirected, await response.text()]).toEqual([
      'https://prices.example.com/a',
      false,
      'good',
    ]);
  });
});
