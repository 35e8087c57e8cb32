/** Whose stored responses a caller gets: `Authorization`, cookies and `auth` (RFC 9111, section 3.5). */
import { AsyncLocalStorage } from 'node:async_hooks';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CacheMode, HttpAuth, HttpCacheOptions, HttpClientOptions } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(
  steps: readonly Step[],
  mode: CacheMode = 'private',
  more?: Partial<HttpClientOptions>,
): Promise<void> {
  await runScenario(clock, steps, { mode }, more);
}

const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);
const never = new Promise<never>(() => {});

describe('credentials', () => {
  const signed = (authorization: string): Step => ({ headers: { authorization } });
  test('AC35: different credentials never share a stored response in a private cache (undici #5012)', () =>
    run([
      { ...signed('Bearer a'), origin: withCacheControl('max-age=60') },
      signed('Bearer b'),
      {},
      { ...signed('Bearer a'), forwarded: false, body: 'body 1' },
    ]));

  test('different cookies never share a stored response; a response to a request without a cookie is served to all', () =>
    run([
      { headers: { cookie: 'id=1' }, origin: withCacheControl('max-age=60') },
      { headers: { cookie: 'id=2' }, origin: withCacheControl('max-age=60') },
      { path: '/b', origin: withCacheControl('max-age=60') },
      { path: '/b', headers: { cookie: 'id=3' }, forwarded: false },
      { headers: { cookie: 'id=1' }, forwarded: false, body: 'body 1' },
    ]));

  test('keep the response out of a shared cache', () =>
    run([{ ...signed('Bearer a'), origin: withCacheControl('max-age=60') }, {}], 'shared'));

  test.each(['public, max-age=60', 's-maxage=60', 'must-revalidate, max-age=60'])(
    'do not keep the response out of a shared cache with %s',
    (control) => run([{ ...signed('Bearer a'), origin: withCacheControl(control) }, { forwarded: false }], 'shared'),
  );

  test('added by auth keep the response out of a shared cache, too', () =>
    run(
      [
        { origin: withCacheControl('max-age=60') },
        { origin: withCacheControl('public, max-age=60') },
        { forwarded: false },
      ],
      'shared',
      {
        auth: { authorize: () => ({ authorization: 'Bearer a' }) },
      },
    ));

  test('are not written to the store', async () => {
    const seen: unknown[] = [];
    const store = { get: () => undefined, set: (...put: unknown[]) => void seen.push(put), delete: () => undefined };
    await using client = clientFor(scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') }), { store });
    await client.get('/a', { headers: { authorization: 'Bearer topsecret', cookie: 'id=topsecret' } });
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain('topsecret');
  });
});

describe('credentials that auth adds per caller', () => {
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

  test.each(['Authorization', 'x-api-key'])('never share a stored response: %s', async (header) => {
    const origin = echo(header.toLowerCase());
    await using client = clientFor(origin, {}, { auth: hook(header) });
    const textFor = (name: string) => caller.run(name, async () => (await client.get('/me')).text());
    expect(await textFor('ann')).toBe('1 for ann');
    expect(await textFor('bob')).toBe('2 for bob');
    expect(await textFor('ann')).toBe('1 for ann');
    // A revalidation in the background has the credentials that the response is stored for.
    await clock.advance(70_000);
    expect(await textFor('bob')).toBe('2 for bob');
    await clock.settle();
    expect(await textFor('bob')).toBe('3 for bob');
    expect(await textFor('ann')).toBe('1 for ann');
  });

  test.each(
    ['public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate'].flatMap((control) =>
      ['authorization', 'x-api-key'].map((header) => [control, header] as const),
    ),
  )('select the stored responses of a shared cache with %s and Vary: %s', async (control, header) => {
    const origin = scriptedDispatcher(() => ({
      status: 200,
      ...withCacheControl(control, { vary: header, 'content-type': 'text/plain' }),
      body: `for ${origin.headersOf(origin.sent.length - 1)[header]}`,
    }));
    await using client = clientFor(origin, { mode: 'shared' }, { auth: hook(header) });
    const textFor = (name: string) => caller.run(name, async () => (await client.get('/me')).text());
    for (const name of ['ann', 'bob', 'ann', 'bob']) expect(await textFor(name)).toBe(`for ${name}`);
    expect(origin.sent).toHaveLength(2);
  });

  test.each<CacheMode>(['private', 'shared'])(
    'keep the response to POST out of a %s store: auth is called once',
    async (mode) => {
      let calls = 0;
      const auth: HttpAuth = { authorize: () => ({ authorization: `${++calls}` }) };
      const origin = scriptedDispatcher({
        status: 200,
        ...withCacheControl('public, max-age=60', { 'content-location': '/me' }),
      });
      await using client = clientFor(origin, { mode }, { auth });
      await client.post('/me');
      expect(calls).toBe(1);
      await client.get('/me');
      expect(origin.sent).toHaveLength(2);
    },
  );

  test.each<[string, HttpAuth['authorize'], string]>([
    ['auth fails', () => Promise.reject(new Error('no token')), 'MAC_HTTP_REQUEST'],
    ['auth hangs', () => never, 'MAC_TIMEOUT'],
  ])('nothing is served when %s, and the call fails within its time limit', async (_, authorize, code) => {
    let works = true;
    const auth: HttpAuth = { authorize: (...calls) => (works ? { authorization: 'a' } : authorize(...calls)) };
    await using client = clientFor(echo('authorization'), {}, { auth });
    await client.get('/me');
    works = false;
    const began = clock.monotonic();
    await expect(clock.runUntil(client.get('/me', { timeoutMs: 100 }))).rejects.toMatchObject({ code });
    expect(clock.monotonic() - began).toBeLessThanOrEqual(101);
  });
});

test('a 304 makes the stored response one for the credentials of its request, and for its cookie if it sets one', async () => {
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
