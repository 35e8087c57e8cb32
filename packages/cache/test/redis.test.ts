// The shared tier on a real server, over real sockets, with both clients.
import { setTimeout as sleep } from 'node:timers/promises';
import { fixed, startFaultProxy, type FaultProxy } from '@macadam/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCache, redisTier, type Cache, type CacheOptions, type RedisTierOptions } from '@macadam/cache';
import { clients, nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { redisUrl } from '@macadam/test-support/redis-servers';
import { startMuteServer } from './mute-server.ts';
import { expectNoUnhandledRejections } from './unhandled.ts';

expectNoUnhandledRejections();

describe.each(clients)('with %s', (name, connect) => {
  let redis: Connected;
  let direct: Connected;
  let proxy: FaultProxy;
  let behind: Connected;
  let prefix: string;
  let made = 0;
  const open: Cache<unknown>[] = [];

  beforeAll(async () => {
    [redis, direct] = [await connect(), await nodeRedis()];
    proxy = await startFaultProxy({ target: redisUrl() });
    behind = await connect(proxy.url);
  });
  afterAll(async () => {
    await Promise.all([redis.close(), direct.close(), behind.close(), proxy.close()]);
  });
  beforeEach(() => void (prefix = `redis-${process.pid}-${name}-${++made}`));
  afterEach(async () => {
    await proxy.heal();
    await Promise.all(open.splice(0).map((cache) => cache.close()));
  });

  /** Creates an instance, with long timeouts unless a test is about them. */
  function instance<T>(
    client: Connected,
    options: Partial<CacheOptions<T>> = {},
    tier: RedisTierOptions = { timeoutMs: 5_000, softTimeoutMs: 5_000 },
  ): Cache<T> {
    const l2 = redisTier(client.client, { prefix, ...tier });
    const cache = createCache<T>({ name: 'users', ttlJitter: 0, earlyRefresh: false, l2, ...options });
    open.push(cache);
    return cache;
  }
  const connected = (...caches: Cache<never>[]): Promise<void> =>
    vi.waitFor(
      () => {
        for (const cache of caches) if (cache.stats().disconnected > 0) throw new Error('not connected');
      },
      { timeout: 10_000, interval: 5 },
    );
  const soon = (check: () => Promise<void> | void): Promise<void> =>
    vi.waitFor(check, { timeout: 10_000, interval: 5 });
  const keys = async (pattern: string): Promise<string[]> => (await direct.command('KEYS', pattern)) as string[];

  it('returns values of every type equally from both tiers', async () => {
    const value = {
      date: new Date(1),
      map: new Map([['a', new Set([1n])]]),
      bytes: new Uint8Array([1, 2]),
      none: undefined,
    };
    const [first, second] = [instance<typeof value>(redis), instance<typeof value>(behind)];
    await first.set('k', value);
    expect(await second.get('k')).toEqual(value);
  });

  it('round trips: L1 hit 0, L2 hit 1, cold miss 2', async () => {
    let trips = 0;
    let isOpen = false;
    // Commands sent before the first reply count as one round trip.
    const count = (reply: unknown): unknown => {
      if (!isOpen) trips++;
      isOpen = true;
      const close = (): unknown => (isOpen = false);
      (reply as Promise<unknown>).then(close, close);
      return reply;
    };
    const spied = new Proxy(redis.client, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          const reply = (member as (...all: unknown[]) => unknown).apply(target, args);
          return property === 'sendCommand' || property === 'callBuffer' ? count(reply) : reply;
        };
      },
    });
    const spy: Connected = { ...redis, client: spied };
    const [cold, warm] = [instance<string>(spy, { coherence: 'none' }), instance<string>(redis, { coherence: 'none' })];
    // Reading the marks, detecting the capabilities of the server and sending a script happen once.
    for (const key of ['first', 'second']) await cold.getOrLoad(key, async () => 'v1');
    await soon(() => expect(cold.stats().l2Fills).toBe(2));
    trips = 0;
    await cold.getOrLoad('k', async () => 'v1');
    await soon(() => expect(cold.stats().l2Fills).toBe(3));
    expect(trips).toBe(2);
    await cold.getOrLoad('k', async () => 'v2');
    expect(trips).toBe(2);
    await warm.set('other', 'v');
    trips = 0;
    await cold.getOrLoad('other', async () => 'v2');
    await cold.getOrLoad('other', async () => 'v2');
    expect(trips).toBe(1);
    expect(cold.stats()).toMatchObject({ l2Hits: 1, loads: 3 });
  });

  it('sends 500 reads of one turn as one command', async () => {
    const cache = instance<number>(redis, { coherence: 'none' });
    await Promise.all(Array.from({ length: 500 }, (_, i) => cache.set(`k${i}`, i)));
    const other = instance<number>(redis, { coherence: 'none' });
    await other.get('none');
    const before = other.stats().l2Calls;
    const values = await other.getMany(Array.from({ length: 500 }, (_, i) => `k${i}`));
    expect([...values.values()]).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(other.stats().l2Calls - before).toBe(1);
  });

  it('layered-loader: the server refuses the fill of a slow load after an invalidation by another process', async () => {
    const [slow, other] = [instance<string>(redis), instance<string>(behind)];
    await connected(slow as Cache<never>, other as Cache<never>);
    let finish: (value: string) => void = () => {};
    const begun = vi.fn();
    const loading = slow.getOrLoad('k', () => {
      begun();
      return new Promise<string>((resolve) => (finish = resolve));
    });
    await soon(() => expect(begun).toHaveBeenCalled());
    expect(await other.invalidate('k')).toBe(true);
    finish('v1');
    expect(await loading).toBe('v1');
    await soon(() => expect(slow.stats().fenced).toBe(1));
    expect(await keys(`${prefix}:users:*`)).toEqual([]);
    expect(await other.getOrLoad('k', async () => 'v2')).toBe('v2');
    expect(await slow.getOrLoad('k', async () => 'v3')).toBe('v2');
  });

  it('a set that is sent again does not overtake a newer change of the same instance', async () => {
    for (const change of ['invalidate', 'set'] as const) {
      // Its first write finds out the time of the server.
      const cache = instance<string>(redis);
      await connected(cache as Cache<never>);
      await cache.get('reads the marks');
      const older = cache.set(change, 'v1');
      await new Promise((resolve) => setImmediate(resolve));
      expect(await (change === 'set' ? cache.set('set', 'v2') : cache.invalidate('invalidate'))).toBe(true);
      await older;
      const left = change === 'set' ? 'v2' : undefined;
      for (const one of [cache, instance<string>(redis)]) expect(await one.get(change)).toBe(left);
    }
  });

  it('a set at the start does not survive invalidateTags or clear, which follow without waiting for it', async () => {
    for (const end of ['invalidateTags', 'clear'] as const) {
      for (const coherence of ['log', 'none'] as const) {
        const cache = instance<string>(redis, { coherence });
        if (coherence === 'log') await connected(cache as Cache<never>);
        const setting = cache.set('k', 'v1', { tags: ['t'] });
        await new Promise((resolve) => setImmediate(resolve));
        expect(await (end === 'clear' ? cache.clear() : cache.invalidateTags(['t']))).toBe(true);
        await setting;
        expect(await cache.get('k')).toBeUndefined();
        expect(await instance<string>(redis, { coherence }).get('k')).toBeUndefined();
      }
    }
  });

  it('expire removes a key of another type, and expires the others of the list', async () => {
    const cache = instance<string>(redis);
    await cache.set('k', 'v1');
    await direct.command('RPUSH', `${prefix}:users:{list}`, 'x');
    expect(await cache.expire(['list', 'k'])).toBe(true);
    expect(cache.stats().unsettled).toBe(0);
    expect(await keys(`${prefix}:users:{*}`)).toEqual([`${prefix}:users:{k}`]);
  });

  it('cacheable #888: concurrent cold gets in four instances are one load', async () => {
    const caches = [redis, behind, redis, behind].map((client) => instance<string>(client));
    let loads = 0;
    const load = async (): Promise<string> => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return 'v1';
    };
    const reads = caches.flatMap((cache) => Array.from({ length: 250 }, () => cache.getOrLoad('k', load)));
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['v1']));
    expect(loads).toBe(1);
  });

  it('instances receive the changes of others, and measure the lag', async () => {
    const [first, second] = [instance<string>(redis), instance<string>(behind)];
    await connected(first as Cache<never>, second as Cache<never>);
    for (const end of [
      () => first.invalidate('k'),
      () => first.set('k', 'newer', { tags: ['t'] }),
      () => first.expire('k'),
      () => first.invalidateTags(['t']),
      () => first.clear(),
    ]) {
      await first.set('k', 'v1', { tags: ['t'] });
      await soon(async () => expect(await second.get('k')).toBe('v1'));
      await end();
      await soon(() => expect(second.peek('k')).toBeUndefined());
    }
    expect(second.stats().coherenceLagMs).toBeGreaterThan(0);
  });

  it('async-cache-dedupe #89: invalidating a tag of many entries is one script with two writes', async () => {
    const cache = instance<number>(redis, { coherence: 'none' });
    const many = Array.from({ length: 2_000 }, (_, i) => `k${i}`);
    for (let i = 0; i < many.length; i += 200) {
      await Promise.all(many.slice(i, i + 200).map((key, j) => cache.set(key, j, { tags: ['all'] })));
    }
    const before = cache.stats().l2Calls;
    await cache.invalidateTags(['all']);
    expect(cache.stats().l2Calls - before).toBe(1);
    expect((await instance<number>(redis, { coherence: 'none' }).getMany(many)).size).toBe(0);
    // keyv #455: nothing in the server grows with the number of keys except the entries.
    expect((await keys(`{${prefix}}:*`)).filter((key) => !/:(log|numbers|marks:users)$/.test(key))).toEqual([]);
    expect(await direct.command('ZCARD', `{${prefix}}:marks:users`)).toBe(3);
    expect(await keys(`${prefix}!*`)).toEqual([]);
  });

  it('FusionCache #627: after the server loses its marks, each entry is loaded once more', async () => {
    const [first, second] = [instance<string>(redis), instance<string>(behind)];
    await connected(first as Cache<never>, second as Cache<never>);
    await first.invalidateTags(['other']);
    let loads = 0;
    const load = async (): Promise<string> => `v${++loads}`;
    for (const key of ['a', 'b']) await first.getOrLoad(key, load, { tags: ['t'] });
    await soon(() => expect(first.stats().l2Fills).toBe(2));
    await direct.command('DEL', `{${prefix}}:marks:users`);
    await first.invalidateTags(['other']);
    const cold = instance<string>(behind);
    for (let i = 0; i < 5; i++) for (const key of ['a', 'b']) await cold.getOrLoad(key, load, { tags: ['t'] });
    await soon(() => expect(cold.stats().l2Fills).toBe(2));
    for (const key of ['a', 'b']) await instance<string>(redis).getOrLoad(key, load, { tags: ['t'] });
    expect(loads).toBe(4);
  });

  it('FusionCache #648: a value whose tag was invalidated after the marks were lost is never served, even when loading fails', async () => {
    const [first, second] = [instance<string>(redis), instance<string>(behind)];
    await connected(first as Cache<never>, second as Cache<never>);
    await first.invalidateTags(['other']);
    await direct.command('DEL', `{${prefix}}:marks:users`);
    // It is stored with the epoch of the lost marks, because no instance has noticed the loss yet.
    await first.getOrLoad('k', () => 'v1', { tags: ['t'] });
    await soon(() => expect(first.stats().l2Fills).toBe(1));
    expect(await second.invalidateTags(['t'])).toBe(true);
    const failing = instance<string>(redis).getOrLoad('k', () => Promise.reject(new Error('down')));
    await expect(failing).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });

  it('a tag invalidation takes effect on a server that lost the newest marks and whose clock is behind', async () => {
    const [first, second] = [instance<string>(redis), instance<string>(behind)];
    await connected(first as Cache<never>, second as Cache<never>);
    const marks = `{${prefix}}:marks:users`;
    await first.invalidateTags(['replicated']);
    await direct.command('ZINCRBY', marks, '600000000', 'i:replicated');
    await first.invalidateTags(['lost']);
    // A replica that is ten minutes behind takes the place of that server.
    await direct.command('ZINCRBY', marks, '-600000000', 'i:replicated');
    await direct.command('ZREM', marks, 'i:lost');
    const [, server] = (await direct.command('ZRANGEBYSCORE', marks, '0', '0')) as string[];
    if (server !== undefined) await direct.command('ZREM', marks, server);
    await first.getOrLoad('k', () => 'v1', { tags: ['t'] });
    await soon(() => expect(first.stats().l2Fills).toBe(1));
    expect(await second.invalidateTags(['t'])).toBe(true);
    for (const client of [redis, behind]) expect(await instance<string>(client).get('k')).toBeUndefined();
  });

  it('an entry whose time to live was extended in the server is not fresh for longer', async () => {
    const [writer, reader] = [instance<string>(redis), instance<string>(redis)];
    await connected(reader as Cache<never>);
    await writer.set('k', 'v1', { ttlMs: 60_000 });
    await direct.command('PEXPIRE', `${prefix}:users:{k}`, '100000000000');
    expect(await reader.get('k')).toBe('v1');
    expect(reader.inspect('k')?.freshForMs).toBeLessThanOrEqual(60_000);
    expect(reader.inspect('k')?.staleForMs).toBeLessThanOrEqual(60_000 + 3_600_000);
  });

  it('the number of marks is bounded; tagged entries older than the dropped marks are loaded again', async () => {
    const cache = instance<string>(redis, { coherence: 'none' });
    await cache.set('k', 'v1', { tags: ['mine'] });
    for (let i = 0; i < 12; i++) await cache.invalidateTags(Array.from({ length: 1_000 }, (_, j) => `t${i}-${j}`));
    expect(Number(await direct.command('ZCARD', `{${prefix}}:marks:users`))).toBeLessThanOrEqual(10_010);
    expect(await instance<string>(redis, { coherence: 'none' }).get('k')).toBeUndefined();
  });

  it('keyv #925, cacheable #1685: a thousand caches on one client add one connection and no listeners', async () => {
    const warnings: unknown[] = [];
    const warn = (warning: unknown): unknown => warnings.push(warning);
    process.on('warning', warn);
    const count = async (): Promise<number> =>
      Number(/connected_clients:(\d+)/.exec(String(await direct.command('INFO', 'clients')))?.[1]);
    const listeners = (): number => {
      const emitter = redis.client as unknown as { eventNames(): string[]; listenerCount(name: string): number };
      return emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);
    };
    const [before, listenersBefore] = [proxy.stats().openConnections, listeners()];
    const caches = Array.from({ length: 1_000 }, (_, i) =>
      instance<string>(behind, { name: `cache-${i}`, l1: { maxEntries: 10 } }),
    );
    await connected(caches[0] as Cache<never>, caches[999] as Cache<never>);
    // A first attempt that timed out on a busy machine may still be closing.
    await soon(() => expect(proxy.stats().openConnections - before).toBe(1));
    expect(listeners()).toBe(listenersBefore);
    await caches[999]?.set('k', 'v');
    await Promise.all(caches.map((cache) => cache.close()));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warn);
    expect(warnings).toEqual([]);
    expect(await count()).toBeGreaterThan(0);
  });

  it('ioredis DataHandler, redis #8935: detects that changes do not arrive, and limits values in memory to 5 s', async () => {
    const user = `deaf-${process.pid}-${name}`;
    await direct.command('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-xread', '-subscribe');
    const url = new URL(redisUrl());
    Object.assign(url, { username: user, password: 'secret' });
    const deaf = await connect(url.href);
    try {
      const cache = instance<string>(deaf);
      await cache.set('k', 'v1');
      expect(cache.inspect('k')?.freshForMs).toBeLessThanOrEqual(5_000);
      await cache.close();
      const other = instance<string>(deaf, { coherence: 'pubsub' });
      expect(await other.get('k')).toBe('v1');
      // Other commands may fail before its channel; the state must not change.
      expect(other.stats().disconnected).toBe(1);
      expect(cache.stats().disconnected).toBe(1);
    } finally {
      await deaf.close();
      await direct.command('ACL', 'DELUSER', user);
    }
  });

  it('open-metadata #28902: a late reply of the server does not replace a value that was set meanwhile', async () => {
    const [writer, reader] = [redis, behind].map((client) => instance<string>(client, { coherence: 'none' })) as [
      Cache<string>,
      Cache<string>,
    ];
    await writer.set('k', 'v1');
    await proxy.set({ link: 'blackHole' });
    const late = reader.get('k');
    const set = reader.set('k', 'v2');
    await proxy.heal();
    await Promise.all([late, set]);
    expect(reader.peek('k')).toBe('v2');
    expect(await instance<string>(redis, { coherence: 'none' }).get('k')).toBe('v2');
  });

  if (name === 'ioredis') {
    it.each(['log', 'pubsub'] as const)('keyPrefix: receives changes with coherence %s', async (coherence) => {
      const client = new Redis(redisUrl(), { lazyConnect: true, keyPrefix: `${prefix}:app:` });
      await client.connect();
      try {
        const [first, second] = [0, 1].map(() => {
          const l2 = redisTier(client, { prefix, timeoutMs: 5_000 });
          return createCache<string>({ name: 'users', coherence, l2 });
        }) as [Cache<string>, Cache<string>];
        open.push(first as Cache<unknown>, second as Cache<unknown>);
        await connected(first as Cache<never>, second as Cache<never>);
        await first.set('k', 'v1');
        await soon(async () => expect(await second.getOrLoad('k', () => 'another')).toBe('v1'));
        await first.invalidate('k');
        await soon(() => expect(second.peek('k')).toBeUndefined());
      } finally {
        client.disconnect();
      }
    });
  }

  if (name === 'node-redis') {
    it('tracking: a new mark does not repeat the effect of earlier marks', async () => {
      const [cache, other] = [0, 1].map(() => instance<string>(redis, { coherence: 'tracking' })) as [
        Cache<string>,
        Cache<string>,
      ];
      await connected(cache as Cache<never>, other as Cache<never>);
      await other.clear();
      await other.invalidateTags(['t']);
      // The server reports a loaded entry once to its author too, and marks once from the first one on.
      await soon(async () => {
        await cache.getOrLoad('k', () => 'v1', { tags: ['t'] });
        await sleep(50);
        expect(cache.peek('k')).toBe('v1');
      });
      await other.invalidateTags(['another']);
      await cache.getOrLoad('l', () => 'v1', { tags: ['another'] });
      await other.invalidateTags(['another']);
      await soon(() => expect(cache.peek('l')).toBeUndefined());
      expect(cache.peek('k')).toBe('v1');
    });

    it('tracking: does not keep a key in memory that the server cannot report', async () => {
      const cache = instance<string>(redis, { coherence: 'tracking' });
      await connected(cache as Cache<never>);
      await cache.set('half \ud800', 'v1');
      expect(cache.peek('half \ud800')).toBeUndefined();
      expect(await cache.get('half \ud800')).toBe('v1');
    });

    it('node-redis client-side cache: tracking uses broadcast mode, so the server keeps no table of keys', async () => {
      const [cache, other] = [0, 1].map(() =>
        instance<number>(redis, { coherence: 'tracking', l1: { maxEntries: 10 } }),
      ) as [Cache<number>, Cache<number>];
      await connected(cache as Cache<never>, other as Cache<never>);
      const many = Array.from({ length: 500 }, (_, i) => `k${i}`);
      await Promise.all(many.map((key, i) => other.set(key, i)));
      await soon(() => expect(other.stats().l2Timeouts).toBe(0));
      for (const key of many) await cache.get(key);
      expect(cache.stats().entries).toBeLessThanOrEqual(10);
      // Written without this library: the server reports it all the same.
      const [entry] = await keys(`${prefix}:users:{k499}`);
      await soon(async () => expect(await cache.get('k499')).toBe(499));
      expect(cache.peek('k499')).toBe(499);
      await direct.command('DEL', entry as string);
      await soon(() => expect(cache.peek('k499')).toBeUndefined());
    });
  }

  it.each(['log', 'pubsub'] as const)(
    'coherence %s: foreign messages neither stop changes from arriving nor crash the process',
    async (coherence) => {
      const [one, other] = [instance<string>(redis, { coherence }), instance<string>(direct, { coherence })];
      await connected(one as Cache<never>, other as Cache<never>);
      const log = `{${prefix}}:log`;
      for (const text of ['hello', '[]', '[1]', '{}', 'null', '["a","users","I","x"]', '["a","users","i","[]"]']) {
        if (coherence === 'pubsub') await direct.command('PUBLISH', log, text.replace('[', '["1",'));
        else await direct.command('XADD', log, '*', 'n', '1', 'm', text);
        await direct.command(...(coherence === 'pubsub' ? ['PUBLISH', log, text] : ['XADD', log, '*', 'a', 'b']));
      }
      for (const cache of [one, other]) await cache.getOrLoad('k', async () => 'v1');
      await soon(async () => expect(await other.invalidate('k')).toBe(true));
      await soon(() => expect(one.peek('k')).toBeUndefined());
      expect(one.stats().disconnected).toBe(0);
    },
  );

  describe('with a bad connection', () => {
    const strict: RedisTierOptions = { timeoutMs: 250, softTimeoutMs: 100 };

    it.each(['blackHole', 'halfOpen'] as const)(
      'civitai #2556, cacheable #1268: %s: each read settles, and the breaker opens after some',
      async (link) => {
        const cache = instance<string>(behind, {}, strict);
        await connected(cache as Cache<never>);
        await proxy.set({ link });
        for (let i = 0; i < 8; i++) expect(await cache.getOrLoad(`k${i}`, async () => 'loaded')).toBe('loaded');
        const { l2Refused, l2Timeouts, l2Errors } = cache.stats();
        expect(l2Timeouts + l2Errors).toBeGreaterThanOrEqual(5);
        expect(l2Refused).toBeGreaterThan(0);
        expect(await cache.invalidate('k1')).toBe(false);
        expect(cache.stats().unsettled).toBe(1);
      },
    );

    it('bentocache bus, FusionCache #18: catches up on missed invalidations after a reconnect', async () => {
      const [cut, other] = [instance<string>(behind, {}, strict), instance<string>(redis)];
      await connected(cut as Cache<never>, other as Cache<never>);
      await other.set('k', 'v1', { tags: ['t'] });
      await other.set('tagged', 'v1', { tags: ['t'] });
      expect([await cut.get('k'), await cut.get('tagged')]).toEqual(['v1', 'v1']);
      await proxy.set({ link: 'refuse' });
      await soon(() => expect(cut.stats().disconnected).toBe(1));
      await other.set('k', 'v2');
      await other.invalidateTags(['t']);
      expect(cut.inspect('k')?.freshForMs).toBeLessThanOrEqual(5_000);
      await proxy.heal();
      await connected(cut as Cache<never>);
      // At once: the log was read before the cache reports that it is connected.
      expect([cut.peek('k'), cut.peek('tagged')]).toEqual([undefined, undefined]);
      expect(cut.stats().gaps).toBe(0);
    });

    it.each(['log', 'pubsub'] as const)(
      'keyv #925: coherence %s: broken connections are not leaked',
      async (coherence) => {
        const cache = instance<string>(behind, { coherence }, strict);
        await connected(cache as Cache<never>);
        const { openConnections } = proxy.stats();
        for (let i = 0; i < 3; i++) {
          proxy.resetConnections();
          await soon(() => expect(cache.stats().disconnected).toBe(1));
          await connected(cache as Cache<never>);
        }
        // Waits for the client to reconnect too.
        await soon(async () => expect(await cache.invalidate('k')).toBe(true));
        await soon(() => expect(proxy.stats().openConnections).toBe(openConnections));
        const { gaps } = cache.stats();
        const other = instance<string>(redis, { coherence });
        await cache.set('k', 'v1');
        await soon(async () => expect(await other.invalidate('k')).toBe(true));
        await soon(() => expect(cache.peek('k')).toBeUndefined());
        expect(cache.stats().gaps, 'each change comes once').toBe(gaps);
      },
    );

    it.each(name === 'node-redis' ? (['log', 'pubsub', 'tracking'] as const) : (['log', 'pubsub'] as const))(
      'coherence %s: reconnecting to a server that never sends a greeting leaks no connections',
      async (coherence) => {
        const server = await startMuteServer(redisUrl());
        const client = await connect(server.url);
        const cache = instance<string>(client, { coherence }, strict);
        await connected(cache as Cache<never>);
        const [open, accepted] = [server.open.size, server.accepted()];
        server.mute = true;
        // The client itself is connected; its duplicate, over which changes arrive, is not.
        for (const socket of [...server.open].slice(1)) socket.destroy();
        // Each attempt times out after two seconds and is followed by the next.
        await soon(() => expect(server.accepted()).toBeGreaterThanOrEqual(accepted + 3));
        await soon(() => expect(server.open.size).toBeLessThanOrEqual(open));
        await cache.close();
        await client.close();
        await server.close();
      },
    );

    it('after a partition of 5 s, the first connection delivers the invalidations of the other side', async () => {
      const [cut, other] = [instance<string>(behind, {}, strict), instance<string>(redis)];
      await connected(cut as Cache<never>, other as Cache<never>);
      const all = ['key', 'expired', 'tagged', 'own', 'own tagged'];
      for (const key of all) {
        await other.set(key, 'v1', { tags: [`of ${key}`] });
        expect(await cut.get(key)).toBe('v1');
      }
      await proxy.set({ link: 'blackHole' });
      const over = sleep(5_000);
      await other.invalidate('key');
      await other.expire('expired');
      await other.invalidateTags(['of tagged']);
      expect(await cut.invalidate('own')).toBe(false);
      expect(await cut.invalidateTags(['of own tagged'])).toBe(false);
      // What it asks for meanwhile is answered, and opens its breaker.
      for (let i = 0; i < 8; i++) expect(await cut.getOrLoad(`new ${i}`, () => 'loaded')).toBe('loaded');
      await over;
      expect(cut.stats()).toMatchObject({ disconnected: 1, unsettled: 2 });
      await proxy.heal();
      const { connections } = proxy.stats();
      await soon(() => {
        for (const key of all) expect([cut.peek(key), other.peek(key)], key).toEqual([undefined, undefined]);
        expect(cut.stats()).toMatchObject({ disconnected: 0, unsettled: 0 });
      });
      // The first connection delivers it. Between two failed attempts are at most 500 ms; see change-feed.test.ts.
      expect(proxy.stats().connections - connections).toBeLessThanOrEqual(1);
    });

    it.each(name === 'node-redis' ? (['pubsub', 'tracking'] as const) : (['pubsub'] as const))(
      '%s: subscribes again after the driver has reconnected by itself',
      async (coherence) => {
        const cut = instance<string>(behind, { coherence });
        const other = instance<string>(redis, { coherence });
        await connected(cut as Cache<never>, other as Cache<never>);
        for (let round = 0; round < 3; round++) {
          const { connections } = proxy.stats();
          proxy.resetConnections();
          await proxy.waitUntil((stats) => stats.connections >= connections + 2);
          await connected(cut as Cache<never>);
          await other.set('k', `v${round}`);
          // The change of the write itself may still arrive, and drop what was read before it.
          await soon(async () => {
            await cut.get('k');
            expect(cut.peek('k')).toBe(`v${round}`);
          });
          await other.invalidate('k');
          await soon(() => expect(cut.peek('k')).toBeUndefined());
        }
      },
    );

    it('clears the memory after missing more changes than the log contains', async () => {
      const [cut, other] = [instance<string>(behind, {}, strict), instance<string>(redis)];
      await connected(cut as Cache<never>, other as Cache<never>);
      await other.set('k', 'v1');
      expect(await cut.get('k')).toBe('v1');
      await proxy.set({ link: 'refuse' });
      await soon(() => expect(cut.stats().disconnected).toBe(1));
      await other.invalidate('k');
      await direct.command('XTRIM', `{${prefix}}:log`, 'MAXLEN', '0');
      await other.invalidate('another');
      await proxy.heal();
      await soon(() => expect(cut.stats().gaps).toBe(1));
      expect(cut.peek('k')).toBeUndefined();
    });

    it('bentocache set: replays failed invalidations when the connection is back', async () => {
      const [cut, other] = [instance<string>(behind, {}, strict), instance<string>(redis)];
      await connected(cut as Cache<never>, other as Cache<never>);
      await other.set('a', 'v1');
      expect(await cut.get('a')).toBe('v1');
      await proxy.set({ link: 'refuse' });
      expect(await cut.invalidate('a')).toBe(false);
      expect(await cut.getOrLoad('a', async () => 'v2')).toBe('v2');
      expect(other.peek('a')).toBe('v1');
      await proxy.heal();
      await soon(() => expect(cut.stats().unsettled).toBe(0));
      await soon(() => expect(other.peek('a')).toBeUndefined());
    });

    it('a set that reaches the server long after its timeout overwrites nothing, even if its process is gone', async () => {
      const [cut, other] = [instance<string>(behind, {}, { timeoutMs: 100 }), instance<string>(redis)];
      await connected(cut as Cache<never>, other as Cache<never>);
      await soon(async () => expect(await cut.set('k', 'v0')).toBe(true));
      await proxy.set({ latency: fixed(600) });
      expect(await cut.set('k', 'v1')).toBe(false);
      await cut.close();
      expect(await other.set('k', 'v2')).toBe(true);
      // Commands after the write on its connection get their replies after it.
      await behind.command('PING');
      expect(await instance<string>(redis).get('k')).toBe('v2');
    });

    it('every read settles when the connection is reset during reads', async () => {
      const cache = instance<string>(behind, {}, strict);
      await connected(cache as Cache<never>);
      const reads: Promise<string>[] = [];
      for (let i = 0; i < 200; i++) {
        reads.push(cache.getOrLoad(`k${i % 50}`, async () => 'v'));
        if (i % 40 === 0) proxy.resetConnections();
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(new Set(await Promise.all(reads))).toEqual(new Set(['v']));
    });
  });
});
