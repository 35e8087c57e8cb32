/** Stores: in memory, and remote ones that are slow, fail, or return invalid values. */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpCacheOptions, type HttpClientOptions } from '../src/index.ts';
import { cachingClient, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

type Store = NonNullable<HttpCacheOptions['store']>;
type StoredResponses = Awaited<ReturnType<Store['get']>>;
const clientFor = (origin: ScriptedDispatcher, cache: HttpCacheOptions = {}, more?: Partial<HttpClientOptions>) =>
  cachingClient(clock, origin, cache, more);
const httpDate = (ms: number): string => new Date(virtualClock().now() + ms).toUTCString();
const never = new Promise<never>(() => {});

/** Like a store in another process: asynchronous, and without shared objects. */
function remoteStore(): Store & { readonly entries: Map<string, StoredResponses> } {
  const entries = new Map<string, StoredResponses>();
  return {
    entries,
    get: async (key) => structuredClone(entries.get(key)),
    set: async (key, responses) => void entries.set(key, structuredClone(responses)),
    delete: async (key) => void entries.delete(key),
  };
}

describe('the store in memory', () => {
  test('is bounded by entries and bytes, and evicts the least recently used URL', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'x'.repeat(1_000) });
    await using client = clientFor(origin, { maxEntries: 2, maxBytes: 100_000 });
    for (const path of ['/a', '/b', '/a', '/c', '/a']) await client.get(path);
    expect(origin.sent.map(({ path }) => path)).toEqual(['/a', '/b', '/c']);
    expect(client.stats().cache).toMatchObject({ entries: 2, hits: 2, misses: 3 });
    for (let i = 0; i < 200; i++) await client.get('/many', { headers: { authorization: `${i}` } });
    expect(client.stats().cache?.bytes).toBeLessThan(100_000);
  });

  test('drops the oldest variants of a URL when all of them do not fit', async () => {
    const large: Script = {
      status: 200,
      ...withCacheControl('max-age=60', { vary: 'x-plan' }),
      body: 'x'.repeat(4_000),
    };
    const origin = scriptedDispatcher(large);
    await using client = clientFor(origin, { maxBytes: 11_000 });
    for (const plan of ['a', 'b', 'c', 'c', 'b', 'a']) await client.get('/a', { headers: { 'x-plan': plan } });
    expect(origin.sent).toHaveLength(4);
    expect(client.stats().cache?.bytes).toBeLessThanOrEqual(11_000);
  });
});

test('the size of the store in memory includes what many short headers take', async () => {
  const headers = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`h${i}`, 'v']));
  const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60', headers) });
  await using client = clientFor(origin, { maxBytes: 70_000 });
  await client.get('/a');
  expect(client.stats().cache).toMatchObject({ entries: 0, stored: 0 });
});

describe('a remote store', () => {
  test('that hangs or fails does not fail the call', async () => {
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
      await using client = clientFor(
        scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'fine' }),
        { store },
      );
      expect((await clock.runUntil(client.get('/a'))).text()).toBe('fine');
      await clock.runUntil(client.post('/a'));
      expect(client.stats().cache?.storeFailures).toBeGreaterThan(2);
      await client.close();
    }
  });

  test('gets plain data and how long it is usable', async () => {
    const entries = new Map<string, string>();
    const times: number[] = [];
    const store = {
      get: async (key: string) =>
        entries.has(key) ? (JSON.parse(entries.get(key) as string, revive) as never) : undefined,
      set: async (key: string, value: unknown, ttlMs: number) => {
        times.push(ttlMs);
        entries.set(
          key,
          JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? { bytes: [...v] } : v)),
        );
      },
      delete: async (key: string) => void entries.delete(key),
    };
    const origin = scriptedDispatcher(
      { status: 200, ...withCacheControl('max-age=60, stale-if-error=30'), body: 'one' },
      { status: 200, ...withCacheControl('max-age=60') },
      { status: 200, ...withCacheControl('max-age=60, must-revalidate') },
      { status: 200, ...withCacheControl('max-age=0') },
    );
    await using client = clientFor(origin, { store });
    await client.get('/a');
    expect((await client.get('/a')).text()).toBe('one');
    expect([...entries.keys()]).toEqual(['private https://prices.example.com/a']);
    for (const path of ['/b', '/c', '/d']) await client.get(path);
    expect(times).toEqual([90_000, 3_660_000, 60_000]);
  });

  test('that hangs does not delay a call beyond its time limit or abort', async () => {
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

  test('that hangs is waited for 250 ms per call, not per operation', async () => {
    const store: Store = { get: () => never, set: () => never, delete: () => never };
    await using client = clientFor(scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') }), { store });
    for (const call of [() => client.get('/a'), () => client.post('/a')]) {
      const began = clock.monotonic();
      await clock.runUntil(call());
      expect(clock.monotonic() - began).toBe(250);
    }
    await clock.advance(1_000);
  });

  test('that keeps failing is skipped for a while, except for deletions', async () => {
    const inner = remoteStore();
    let hangs = true;
    let deletions = 0;
    const store: Store = {
      get: (key) => (hangs ? never : inner.get(key)),
      set: (...args) => (hangs ? never : inner.set(...args)),
      delete: (key) => (deletions++, hangs ? never : inner.delete(key)),
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
    expect(client.stats().cache).toMatchObject({ storeFailures: 5, hits: 1 });
  });

  test('whose deletion is unfinished serves nothing from before the invalidation', async () => {
    const inner = remoteStore();
    const store: Store = { ...inner, delete: () => never };
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

  test('uses up time of the call, and the origin is sent the remaining time', async () => {
    const store: Store = { ...remoteStore(), get: () => clock.sleep(20).then(() => undefined) };
    const origin = scriptedDispatcher({});
    await using client = clientFor(origin, { store }, { peer: 'internal' });
    const call = client.get('/a', { timeoutMs: 100 });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(clock.monotonic()).toBe(100);
    expect(Object.values(origin.headersOf(0))).toContain('80');
  });

  test('may finish a write after the call: client.close() waits for it', async () => {
    const inner = remoteStore();
    const store: Store = { ...inner, set: (...args) => clock.sleep(200).then(() => inner.set(...args)) };
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    const client = clientFor(origin, { store });
    await clock.runUntil(client.get('/a', { timeoutMs: 50 }));
    expect(inner.entries.size).toBe(0);
    await clock.runUntil(client.close());
    expect(inner.entries.size).toBe(1);
  });

  const metadata = { authorization: '', cookie: '', outdated: false, selecting: {}, requestedAtMs: 0, receivedAtMs: 0 };

  const valid = { ...metadata, status: 200, headers: {}, body: new Uint8Array(2) };

  test.each<[string, unknown]>([
    ['a string', 'x'],
    ['a list of null', [null]],
    ['a list of strings', ['x']],
    ['an empty object', [{}]],
    ['a body that was serialized as JSON', JSON.parse(JSON.stringify([valid])) as unknown],
    ['headers that are not strings', [{ ...valid, headers: { etag: 1 } }]],
    ['an invalid time', [{ ...valid, receivedAtMs: 'now' }]],
    ['a part that is longer than its body', [{ ...valid, part: { first: 0, last: 9, size: null } }]],
    ['a valid and an invalid response', [valid, 5]],
  ])('that returns %s counts as empty, and as failed', async (_, corrupt) => {
    const store: Store = { ...remoteStore(), get: async () => corrupt as StoredResponses };
    await using client = clientFor(
      scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60'), body: 'fine' }),
      {
        store,
      },
    );
    expect((await client.get('/a')).text()).toBe('fine');
    expect(client.stats().cache?.storeFailures).toBeGreaterThan(0);
  });

  test('may reject with a thenable that is no promise', async () => {
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

  test('gets a ttl in whole milliseconds, and no response that could not be reused', async () => {
    const times: number[] = [];
    const store: Store = { ...remoteStore(), set: (_key, _responses, ttlMs) => void times.push(ttlMs) };
    const heuristic = (seconds: number): Script => ({
      status: 200,
      headers: { 'last-modified': httpDate(-seconds * 1e3) },
    });
    const origin = scriptedDispatcher(
      ...[3, 7, 69].map(heuristic),
      { status: 200, ...withCacheControl('max-age=0') },
      { status: 200 },
    );
    await using client = clientFor(origin, { store });
    for (let i = 0; i < 5; i++) await client.get(`/${i}`);
    expect(times).toHaveLength(3);
    expect(times.every(Number.isInteger)).toBe(true);
  });

  test('holds no values of selecting fields that may be secret', async () => {
    const inner = remoteStore();
    const origin = scriptedDispatcher({
      status: 200,
      ...withCacheControl('max-age=60', { vary: 'authorization, cookie, x-api-key, accept-language' }),
    });
    await using client = clientFor(origin, { store: inner });
    const headers = { authorization: 'Bearer s3cret', cookie: 'id=s3cret', 'x-api-key': 's3cret' };
    for (let i = 0; i < 2; i++) await client.get('/a', { headers: { ...headers, 'accept-language': 'de' } });
    await client.get('/a', { headers: { ...headers, 'x-api-key': 'another' } });
    expect(origin.sent).toHaveLength(2);
    expect(JSON.stringify([...inner.entries])).not.toContain('s3cret');
  });

  test('gets keys with a digest of the query instead of its values', async () => {
    const inner = remoteStore();
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    await using client = clientFor(origin, { store: inner });
    for (const token of ['s3cret', 's3cret', 'another', undefined]) await client.get('/a', { query: { token } });
    expect(origin.sent).toHaveLength(3);
    expect(inner.entries.size).toBe(3);
    expect(JSON.stringify([...inner.entries])).not.toMatch(/s3cret|another/);
    expect([...inner.entries.keys()]).toContain('private https://prices.example.com/a');
  });

  test.each(['?by=O%27Hara', "?by=O'Hara"])(
    'deletes the URL that Location names, in any spelling: %s',
    async (search) => {
      const origin = scriptedDispatcher(
        { status: 200, ...withCacheControl('max-age=60'), body: 'old' },
        { status: 201, headers: { location: `/a${search}` } },
        { status: 200, body: 'new' },
      );
      await using client = clientFor(origin, { store: remoteStore() });
      for (const method of ['get', 'post', 'get'] as const) {
        const path = method === 'post' ? '/b' : '/a';
        const response = await client[method](path, method === 'get' ? { query: { by: "O'Hara" } } : {});
        if (origin.sent.length === 3) expect(response.text()).toBe('new');
      }
      expect(origin.sent).toHaveLength(3);
    },
  );

  test('does not serve a response that was invalidated during its write', async () => {
    const inner = remoteStore();
    const store: Store = { ...inner, get: (key) => clock.sleep(50).then(() => inner.get(key)) };
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

  test('does not get back what was invalidated while a HEAD request looked it up', async () => {
    const store = remoteStore();
    const { get } = store;
    const answers = { afterMs: 0 };
    store.get = async (key) => {
      const found = await get(key);
      await clock.sleep(answers.afterMs);
      return found;
    };
    const ok: Script = { status: 200, ...withCacheControl('max-age=60') };
    const origin = scriptedDispatcher({ ...ok, body: 'old' }, { status: 204 }, ok, { ...ok, body: 'new' });
    await using client = clientFor(origin, { store });
    await clock.runUntil(client.get('/a'));
    answers.afterMs = 100;
    const head = client.head('/a', { headers: { 'cache-control': 'no-cache' } });
    await clock.settle();
    answers.afterMs = 0;
    await clock.runUntil(client.put('/a'));
    await clock.runUntil(head);
    expect((await clock.runUntil(client.get('/a'))).text()).toBe('new');
  });

  test('does not serve to others what was invalidated while a response that must not be stored was removed', async () => {
    const inner = remoteStore();
    let delayMs = 0;
    const store: Store = {
      ...inner,
      get: async (key) => {
        const found = await inner.get(key);
        if (delayMs > 0) await clock.sleep(delayMs);
        return found;
      },
    };
    const vary = { vary: 'x-plan' };
    const origin = scriptedDispatcher(
      ...['old a', 'old b'].map((body) => ({ status: 200, ...withCacheControl('max-age=60', vary), body })),
      { status: 200, ...withCacheControl('no-store', vary) },
      { status: 204 },
      { status: 200, ...withCacheControl('max-age=60', vary), body: 'new b' },
    );
    await using client = clientFor(origin, { store });
    for (const plan of ['a', 'b']) await client.get('/a', { headers: { 'x-plan': plan } });
    delayMs = 40;
    const reload = client.get('/a', { headers: { 'x-plan': 'a', 'cache-control': 'no-cache' } });
    await clock.advance(60);
    delayMs = 0;
    await client.put('/a', { json: 1 });
    await clock.runUntil(reload);
    await clock.advance(20);
    expect((await client.get('/a', { headers: { 'x-plan': 'b' } })).text()).toBe('new b');
  });

  test('keeps the responses to concurrent requests for one URL, with few writes', async () => {
    const inner = remoteStore();
    let writes = 0;
    const store: Store = {
      get: (key) => clock.sleep(2).then(() => inner.get(key)),
      set: (...args) => (writes++, clock.sleep(2).then(() => inner.set(...args))),
      delete: (key) => inner.delete(key),
    };
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60', { vary: 'x-plan' }) });
    await using client = clientFor(origin, { store });
    const plans = Array.from({ length: 20 }, (_, i) => `${i}`);
    const getAll = () => Promise.all(plans.map((plan) => client.get('/a', { headers: { 'x-plan': plan } })));
    for (let i = 0; i < 2; i++) await clock.runUntil(getAll());
    expect(origin.sent).toHaveLength(plans.length);
    expect(writes).toBeLessThanOrEqual(2);
  });

  test('serves nothing that was received far ahead of the clock: a clock was set back since then', async () => {
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=60') });
    await using client = clientFor(origin, { store: remoteStore() });
    await client.get('/a');
    clock.jump(-5_000);
    await client.get('/a');
    expect(origin.sent).toHaveLength(1);
    clock.jump(-3_600_000);
    for (let i = 0; i < 2; i++) await client.get('/a');
    expect(origin.sent).toHaveLength(2);
  });

  test('does not serve a response whose write finished long after it timed out', async () => {
    const inner = remoteStore();
    let writes = 0;
    const store: Store = {
      ...inner,
      set: (...args) => (writes++ === 0 ? clock.sleep(400).then(() => inner.set(...args)) : inner.set(...args)),
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

  test('whose deletions fail serves nothing from before the invalidation', async () => {
    const inner = remoteStore();
    const store: Store = { ...inner, delete: () => Promise.reject(new Error('down')) };
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

  test('gets failed deletions again when it works, for the other processes that use it', async () => {
    const inner = remoteStore();
    let isDown = false;
    const failing = (): Promise<void> => Promise.reject(new Error('down'));
    const store: Store = {
      get: (key) => (isDown ? failing().then(() => undefined) : inner.get(key)),
      set: (...args) => (isDown ? failing() : inner.set(...args)),
      delete: (key) => (isDown ? failing() : inner.delete(key)),
    };
    const paths = Array.from({ length: 9 }, (_, i) => `/items/${i}`);
    const origin = scriptedDispatcher({ status: 200, ...withCacheControl('max-age=600') });
    await using client = clientFor(origin, { store });
    for (const path of paths) await clock.runUntil(client.get(path));
    isDown = true;
    await clock.advance(1);
    // More failures than the circuit breaker of the store allows.
    for (const path of paths) await clock.runUntil(client.put(path, { json: 1 }));
    isDown = false;
    await clock.advance(60_000);
    expect(inner.entries.size).toBe(9);
    await clock.runUntil(client.get('/other'));
    await clock.advance(1);
    expect([...inner.entries.keys()]).toEqual(['private https://prices.example.com/other']);
  });

  test('has separate keys for services at one host that differ in the path prefix of their endpoints', async () => {
    const store = remoteStore();
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
    expect([...store.entries.keys()]).toEqual(['private https://gateway.example.com/billing/items']);
  });
});

function revive(_: string, value: unknown): unknown {
  const bytes = (value as { bytes?: number[] } | null)?.bytes;
  return Array.isArray(bytes) ? Uint8Array.from(bytes) : value;
}
