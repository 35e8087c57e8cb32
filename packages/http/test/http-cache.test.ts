/** The HTTP cache as a whole: its options, description, counts and time limits. */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpCacheOptions, type HttpClientOptions } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

const run = (steps: readonly Step[]) => runScenario(clock, steps);
const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);

test('each call that the cache handles is counted once, revalidations in the background are not', async () => {
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
    'a 304 about another version',
    {},
    [
      { status: 200, ...withCacheControl('max-age=0', { etag: '"1"' }) },
      { status: 304, headers: { etag: '"2"' }, body: [] },
    ],
  ],
  [
    'a stored part that cannot be completed',
    { range: 'bytes=0-1' },
    [
      { status: 206, ...withCacheControl('max-age=60', { etag: '"1"', 'content-range': 'bytes 0-1/4' }), body: 'ab' },
      { status: 416, body: [] },
    ],
  ],
])('a second request after %s has only the time that the call has left', async (_what, headers, scripts) => {
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
});

describe('the Host header of a request', () => {
  const atHost = (host: string): Pick<Step, 'headers'> => ({ headers: { host } });

  test('is part of the cache key', () =>
    run([
      { ...atHost('tenant-a.example'), origin: withCacheControl('max-age=60') },
      { ...atHost('tenant-b.example'), origin: withCacheControl('max-age=60') },
      { origin: withCacheControl('max-age=60') },
      { ...atHost('Tenant-A.example:443'), forwarded: false, body: 'body 1' },
      { ...atHost('tenant-b.example'), forwarded: false, body: 'body 2' },
      { ...atHost('prices.example.com'), forwarded: false, body: 'body 3' },
      atHost('tenant-a.example:8443'),
    ]));

  test.each(['a.example/b', 'a.example, b.example', '', 'user@a.example', '[a'])(
    'bypasses the cache when it is no authority: %j',
    async (host) => {
      const { cache } = await run([
        { ...atHost(host), origin: withCacheControl('max-age=60') },
        { ...atHost(host), method: 'POST' },
        atHost(host),
      ]);
      expect(cache).toMatchObject({ stored: 0, invalidated: 0, entries: 0 });
    },
  );
});

test('counts as stored what the store holds', async () => {
  const script = { status: 200, ...withCacheControl('max-age=60'), body: 'x'.repeat(2_000) };
  await using small = clientFor(scriptedDispatcher(script), { maxBytes: 1_000 });
  const down = (): never => {
    throw new Error('down');
  };
  await using broken = clientFor(scriptedDispatcher(script), { store: { get: down, set: down, delete: down } });
  await using working = clientFor(scriptedDispatcher(script));
  for (const client of [small, broken, working]) await client.get('/a');
  expect([small, broken, working].map((client) => client.stats().cache?.stored)).toEqual([0, 0, 1]);
});

test('describe() names the mode and the limits of the cache', async () => {
  await using client = clientFor(scriptedDispatcher({}), { mode: 'shared' });
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
])('rejects an invalid %s', (path, cache) => {
  const make = () => createHttpClient({ baseUrl: 'https://prices.example.com', cache: cache as HttpCacheOptions });
  expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }));
});
