// The store on a real server, over real sockets, through both clients.
import { runWork, systemClock } from '@macadam/core';
import { clients, nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { redisUrl } from '@macadam/test-support/redis-servers';
import { startFaultProxy, type FaultProxy } from '@macadam/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  memoryStore,
  rateLimitHeaders,
  redisStore,
  slidingLog,
  slidingWindow,
  takeAll,
  tokenBucket,
  type RateLimiterOptions,
} from '../src/index.ts';
import { decideScript } from '../src/redis/scripts/decide.ts';
import { takeTokenScript } from '../src/redis/scripts/take-token.ts';
import { storeContract } from '../src/testing.ts';

const prefix = `rl-${process.pid}`;
const hour = 3_600_000;

describe('memoryStore passes the store contract', () => {
  it.each(storeContract(() => memoryStore()))('$name', ({ run }) => run());
});

describe.each(clients)('redisStore with %s', (name, connect) => {
  let redis: Connected;
  let made = 0;
  let ours: string;
  beforeAll(async () => void (redis = await connect()));
  afterAll(() => redis.close());
  beforeEach(() => void (ours = `${prefix}-${name}-${++made}`));
  // Generous, since the machine of a test may be busy: what a test is about is never the time limit.
  const store = () => redisStore(redis.client, { prefix: ours, timeoutMs: 5_000 });
  const limiterOf = (options: Partial<RateLimiterOptions> = {}) =>
    createRateLimiter({
      name: 'test',
      limits: [tokenBucket({ limit: 10, periodMs: hour })],
      store: store(),
      onStoreFailure: 'closed',
      ...options,
    });

  it.each(storeContract(() => store()))('$name', ({ run }) => run());

  it('upstash #95: every key expires, after every operation', async () => {
    const limits = [
      tokenBucket({ limit: 5, periodMs: 60_000, name: 'a' }),
      fixedWindow({ limit: 5, periodMs: 60_000, name: 'b' }),
      slidingWindow({ limit: 5, periodMs: 60_000, name: 'c' }),
      slidingLog({ limit: 5, periodMs: 60_000, name: 'd' }),
    ];
    const limiter = limiterOf({ limits });
    const expectExpiry = async (): Promise<void> => {
      const keys = (await redis.command('KEYS', `${ours}:*`)) as string[];
      for (const key of keys) {
        const ttl = Number(await redis.command('PTTL', key));
        expect(ttl, key).toBeGreaterThan(0);
        expect(ttl, key).toBeLessThanOrEqual(120_000);
      }
    };
    const decision = await limiter.take('k', { cost: 3 });
    await expectExpiry();
    await limiter.take('k', { cost: 3 });
    await limiter.refund('k', { decision, cost: 1 });
    await expectExpiry();
    await limiter.penalize('k', { cost: 4 });
    await limiter.takeUpTo('k', 3);
    await limiter.peek('k');
    await limiter.block('k', 60_000);
    await expectExpiry();
    // One for each limit, and one for the block.
    expect(await redis.command('KEYS', `${ours}:*`)).toHaveLength(5);
    await limiter.reset('k');
    expect(await redis.command('KEYS', `${ours}:*`)).toEqual([]);
    const permits = limiterOf({ limits: [concurrency({ limit: 1, permitTtlMs: 60_000 })] });
    await permits.take('k');
    await expectExpiry();
  });

  it.each([
    ['tokenBucket', tokenBucket({ limit: 10, periodMs: hour })],
    ['fixedWindow', fixedWindow({ limit: 10, periodMs: hour })],
    ['slidingWindow', slidingWindow({ limit: 10, periodMs: hour })],
    ['slidingLog', slidingLog({ limit: 10, periodMs: hour })],
    ['concurrency', concurrency({ limit: 10, permitTtlMs: hour })],
  ])('upstash #156: a denial changes neither value nor time to live: %s', async (_, limit) => {
    const limiter = limiterOf({ limits: [limit] });
    await limiter.take('k', { cost: 8 });
    const [key] = (await redis.command('KEYS', `${ours}:*`)) as [string];
    await redis.command('PEXPIRE', key, '500000');
    // Text and not bytes, which is enough to see that something changed.
    const before = await Promise.all([redis.command('GET', key), redis.command('PEXPIRETIME', key)]);
    // Each costs less than the one before, so that none is repeated from memory.
    for (const cost of [5, 4, 3]) expect((await limiter.take('k', { cost })).allowed).toBe(false);
    await limiter.peek('k', { cost: 9 });
    await expect(limiter.take('k', { cost: 11 })).rejects.toMatchObject({ code: 'MAC_COST_ABOVE_CAPACITY' });
    expect(await Promise.all([redis.command('GET', key), redis.command('PEXPIRETIME', key)])).toEqual(before);
  });

  it('rate-limiter-flexible: a window below a second works, and its key expires', async () => {
    const limiter = limiterOf({ limits: [fixedWindow({ limit: 1, periodMs: 250 })] });
    expect(await limiter.take('k')).toMatchObject({ allowed: true, resetAfterMs: 250 });
    const [key] = (await redis.command('KEYS', `${ours}:*`)) as [string];
    const ttl = Number(await redis.command('PTTL', key));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(250);
  });

  it('fastify-rate-limit #152: repairs a key without time to live or of another type', async () => {
    const limiter = limiterOf();
    await limiter.take('k');
    const [key] = (await redis.command('KEYS', `${ours}:*`)) as [string];
    await redis.command('PERSIST', key);
    await limiter.take('k');
    expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(0);
    for (const [word, ...words] of [
      ['HSET', 'x', '1'],
      ['SET', 'not numbers'],
    ] as const) {
      await redis.command('DEL', key);
      await redis.command(word, key, ...words);
      expect(await limiter.take('k')).toMatchObject({ allowed: true, remaining: 9 });
      expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(0);
    }
  });

  it('upstash #156: a penalty of any size has a time to live that the server accepts, and waits that it can send', async () => {
    for (const limit of [tokenBucket({ limit: 1, periodMs: hour }), slidingLog({ limit: 1, periodMs: hour })]) {
      const limiter = limiterOf({ limits: [limit] });
      await limiter.penalize('k', { cost: 1e18 });
      expect(await limiter.peek('k', { cost: 1 })).toMatchObject({ allowed: false, remaining: 0 });
      const denied = await limiter.take('k');
      expect(denied.retryAfterMs).toBeGreaterThan(0);
      expect(denied.resetAfterMs).toBeGreaterThanOrEqual(denied.retryAfterMs);
      expect(Number(rateLimitHeaders(denied)['Retry-After'])).toBeGreaterThan(0);
      expect(limiter.stats()).toMatchObject({ storeFailures: 0 });
    }
  });

  it('upstash #122: sends a flushed script again, without an error and without counting twice', async () => {
    const limiter = limiterOf();
    await limiter.take('k');
    await redis.command('SCRIPT', 'FLUSH');
    const decisions = await Promise.all(Array.from({ length: 20 }, () => limiter.take('k')));
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(9);
    expect(limiter.stats()).toMatchObject({ storeFailures: 0 });
  });

  it('wurk #92: all keys of a decision are declared and have the subject as their hash tag', async () => {
    const limits = [
      tokenBucket({ limit: 5, periodMs: hour, name: 'first' }),
      slidingLog({ limit: 5, periodMs: hour, name: 'second' }),
    ];
    await limiterOf({ limits }).take('a{b}:c%');
    const keys = (await redis.command('KEYS', `${ours}:*`)) as string[];
    expect(keys.sort()).toEqual([
      `${ours}:{a%7bb%7d%3ac%25}:test:first:tokenBucket`,
      `${ours}:{a%7bb%7d%3ac%25}:test:second:slidingLog`,
    ]);
  });

  it('several limits take one round trip', async () => {
    const limits = ['a', 'b', 'c'].map((one) => tokenBucket({ limit: 5, periodMs: hour, name: one }));
    const limiter = limiterOf({ limits });
    await limiter.take('k');
    expect(limiter.stats()).toMatchObject({ commands: 1 });
  });

  it('requests of one turn of the event loop take one round trip, and are decided independently', async () => {
    const limiter = limiterOf();
    const decisions = await Promise.all(
      Array.from({ length: 24 }, (_, i) => limiter.take(i % 2 === 0 ? 'even' : 'odd', { cost: i < 2 ? 2 : 1 })),
    );
    expect(limiter.stats()).toMatchObject({ commands: 1 });
    expect(decisions.map(({ remaining }) => remaining).slice(0, 6)).toEqual([8, 8, 7, 7, 6, 6]);
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(18);
    expect(decisions[23]).toMatchObject({ allowed: false, granted: 0, remaining: 0, source: 'store' });
  });

  it('an aborted caller does not abort the requests in the same batch', async () => {
    const limiter = limiterOf();
    const controller = new AbortController();
    const leaving = runWork({ signal: controller.signal, timeoutMs: 60_000 }, () => limiter.take('a'));
    const staying = limiter.take('b');
    controller.abort();
    expect(await leaving).toMatchObject({ allowed: true, degraded: false });
    expect(await staying).toMatchObject({ allowed: true, degraded: false });
    expect(limiter.stats()).toMatchObject({ storeFailures: 0 });
  });

  it('takeAll takes from several limiters and keys in one round trip, all or nothing', async () => {
    const users = limiterOf({ name: 'users', limits: [tokenBucket({ limit: 3, periodMs: hour })] });
    const tenants = limiterOf({
      name: 'tenants',
      limits: [slidingWindow({ limit: 5, periodMs: hour }), concurrency({ limit: 2 })],
    });
    const claims = (user: string) => [
      { limiter: users, key: user, cost: 2 },
      { limiter: tenants, key: 'acme' },
    ];
    const first = await takeAll(claims('ann'));
    expect(first).toMatchObject({ allowed: true, atomic: true, decision: { remaining: 1 } });
    expect(first.decisions[1]?.permit).toBeTypeOf('number');
    expect([users.stats()['commands'], tenants.stats()['commands']]).toEqual([1, 0]);
    const second = await takeAll(claims('ann'));
    expect(second).toMatchObject({ allowed: false, decision: { limit: 3, remaining: 1 } });
    expect(second.decisions[1]).toMatchObject({ allowed: true, granted: 0 });
    expect(second.decisions[1]?.permit).toBeUndefined();
    expect((await tenants.peek('acme')).policies).toMatchObject([{ remaining: 4 }, { remaining: 1 }]);
    expect(await takeAll(claims('bob'))).toMatchObject({ allowed: true });
    // Not the same store: one by one, and what was taken is given back.
    const local = createRateLimiter({ name: 'local', limits: [tokenBucket({ limit: 1, periodMs: hour })] });
    await local.take('ann');
    const apart = await takeAll([
      { limiter: users, key: 'eve' },
      { limiter: local, key: 'ann' },
    ]);
    expect(apart).toMatchObject({ allowed: false, atomic: false });
    expect((await users.peek('eve')).remaining).toBe(3);
  });

  it('upstash cachedFixedWindow: keys that leases write expire, too', async () => {
    const limits = [
      fixedWindow({ limit: 1_000, periodMs: 60_000, name: 'a' }),
      tokenBucket({ limit: 1_000, periodMs: 60_000, name: 'b' }),
    ];
    const leased = redisStore(redis.client, { prefix: ours, timeoutMs: 5_000, lease: { ttlMs: 60_000 } });
    const limiter = limiterOf({ limits, store: leased });
    for (let i = 0; i < 100; i++) await limiter.take('k');
    expect(limiter.tryTake('k')).toMatchObject({ source: 'lease' });
    const ttls = async (): Promise<number[]> => {
      const keys = (await redis.command('KEYS', `${ours}:*`)) as string[];
      return await Promise.all(keys.map(async (key) => Number(await redis.command('PTTL', key))));
    };
    for (const ttl of await ttls()) {
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(120_000);
    }
    await limiter.close();
    const left = await ttls();
    expect(left).toHaveLength(2);
    expect(Math.min(...left)).toBeGreaterThan(0);
    const exact = limiterOf({ limits });
    expect((await exact.peek('k')).policies?.[0]).toMatchObject({ remaining: 1_000 - 101 });
  });

  it('fastify groupId: ("a", "bc") is not ("ab", "c"), in names, limits and keys', async () => {
    const bucket = (name: string) => [tokenBucket({ limit: 1, periodMs: hour, name })];
    const limiters = [
      [limiterOf({ name: 'a', limits: bucket('b:c') }), 'k'],
      [limiterOf({ name: 'a:b', limits: bucket('c') }), 'k'],
      [limiterOf({ name: 'a', limits: bucket('x') }), 'bc'],
      [limiterOf({ name: 'ab', limits: bucket('x') }), 'c'],
      [limiterOf({ name: 'a', limits: bucket('x') }), 'k}:a:x'],
      [limiterOf({ name: 'a', limits: bucket('x') }), 'k%7d%3aa%3ax'],
    ] as const;
    for (const [limiter, key] of limiters)
      expect((await limiter.take(key)).allowed, `${limiter.name} ${key}`).toBe(true);
    expect(await redis.command('KEYS', `${ours}:*`)).toHaveLength(limiters.length);
  });

  it.each([
    ['fixed windows', [fixedWindow({ limit: 1, periodMs: hour })]],
    ['token buckets', [tokenBucket({ limit: 1, periodMs: hour })]],
    [
      'several',
      [tokenBucket({ limit: 1, periodMs: hour, name: 'a' }), slidingLog({ limit: 1, periodMs: hour, name: 'b' })],
    ],
  ])('keys with different lone surrogates are different: %s', async (_kind, limits) => {
    const limiter = limiterOf({ limits });
    const keys = [
      '\ud800',
      '\ud801',
      '\ufffd',
      '\ud800\udc00',
      ...['\ud800', '\ud801', 'x'].map((one) => one + 'x'.repeat(300)),
    ];
    const first = await Promise.all(keys.map((key) => limiter.take(key)));
    expect(first.map(({ allowed }) => allowed)).toEqual(keys.map(() => true));
    const second = await Promise.all(keys.map((key) => limiter.take(key)));
    expect(second.map(({ allowed }) => allowed)).toEqual(keys.map(() => false));
  });

  it('envoyproxy/ratelimit: limiters of many processes share one limit exactly', async () => {
    const fleet = Array.from({ length: 20 }, () => limiterOf());
    const decisions = await Promise.all(fleet.flatMap((one) => Array.from({ length: 5 }, () => one.take('k'))));
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10);
  });

  it('spring-cloud-gateway #1117: decides by the time of the server, however wrong the clocks of the instances are', async () => {
    const fleet = [-10_000, 0, 10_000].map((skewMs) => {
      const clock = {
        ...systemClock,
        monotonic: () => systemClock.monotonic() + skewMs,
        now: () => Date.now() + skewMs,
      };
      return limiterOf({ clock });
    });
    const stamps: number[] = [];
    for (let i = 0; i < 12; i++) {
      const { allowed, remaining, stamp } = await fleet[i % 3]!.take('k');
      expect([allowed, remaining]).toEqual([i < 10, Math.max(0, 9 - i)]);
      stamps.push(stamp);
    }
    expect(stamps).toEqual([...stamps].sort((a, b) => a - b));
  });

  it('repeats a denial without a round trip until a retry could be allowed', async () => {
    const limiter = limiterOf();
    await limiter.take('k', { cost: 9 });
    expect(await limiter.take('k', { cost: 5 })).toMatchObject({ allowed: false, source: 'store' });
    expect(await limiter.take('k', { cost: 5 })).toMatchObject({ allowed: false, source: 'denyCache', remaining: 1 });
    expect(limiter.stats()).toMatchObject({ commands: 2, denyCacheHits: 1 });
    expect(await limiter.take('k', { cost: 1 })).toMatchObject({ allowed: true, source: 'store' });
    await limiter.take('k');
    await limiter.refund('k', { cost: 5 });
    expect(await limiter.take('k')).toMatchObject({ allowed: true });
  });
});

it('redis_rate #30: the scripts read and write only their own keys, once each, and scan for none', () => {
  const kinds = ['tokenBucket', 'fixedWindow', 'slidingWindow', 'slidingLog', 'concurrency'] as const;
  for (const script of [decideScript(kinds), takeTokenScript]) {
    const commands = [...script.matchAll(/redis\.p?call\('(\w+)', ?([^,)]*)/g)].map(
      ([, name, key]) => `${name} ${key}`,
    );
    const called = commands.map((one) => one.split(' ')[0]);
    expect(script.match(/redis\.p?call/g)).toHaveLength(
      script.match(/redis\.p?call\('(?:TIME|MGET|PEXPIRETIME|SET|DEL)'/g)!.length,
    );
    expect(called.filter((name) => name === 'MGET')).toHaveLength(1);
  }
});

describe('a store that fails', () => {
  let proxy: FaultProxy;
  let redis: Connected;
  let made = 0;
  beforeAll(async () => {
    proxy = await startFaultProxy({ target: redisUrl() });
    redis = await nodeRedis(proxy.url);
  });
  afterAll(async () => {
    await redis.close();
    await proxy.close();
  });
  const limiterOf = (options: Partial<RateLimiterOptions> = {}) =>
    createRateLimiter({
      name: 'failing',
      limits: [tokenBucket({ limit: 12, periodMs: hour })],
      store: redisStore(redis.client, { prefix: `${prefix}-failing-${++made}` }),
      ...options,
    });

  it('noosphere #276: local enforces a share of the limit, marked as degraded, at once when the breaker is open', async () => {
    const limiter = limiterOf({ expectedInstances: 3 });
    await proxy.set({ link: 'blackHole' });
    const decisions = [];
    for (let i = 0; i < 7; i++) decisions.push(await limiter.take('k'));
    await proxy.heal();
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, true, false, false, false]);
    expect(decisions.every(({ degraded, source }) => degraded && source === 'fallback')).toBe(true);
    // Five of them waited for the time limit; the others were not sent at all.
    expect(limiter.stats()).toMatchObject({ degraded: 7, storeFailures: 7, storeAway: 1, commands: 5 });
  });

  it('Code2Flow #11: open allows everything, marked as degraded; closed rejects', async () => {
    const [open, closed] = [limiterOf({ onStoreFailure: 'open' }), limiterOf({ onStoreFailure: 'closed' })];
    await proxy.set({ link: 'blackHole' });
    const decision = await open.take('k', { cost: 12 });
    const failure = await closed.take('k').catch((error: unknown) => error);
    await proxy.heal();
    expect(decision).toMatchObject({ allowed: true, degraded: true, source: 'fallback' });
    expect(failure).toMatchObject({ code: 'MAC_RATE_LIMIT_STORE', limiter: 'failing', retryable: true });
  });

  it('takeAll without the store follows the onStoreFailure of each limiter, all or none', async () => {
    const users = limiterOf({ expectedInstances: 3 });
    const open = limiterOf({ onStoreFailure: 'open' });
    const closed = limiterOf({ onStoreFailure: 'closed' });
    const claims = [
      { limiter: users, key: 'a', cost: 3 },
      { limiter: open, key: 'a', cost: 3 },
    ];
    await proxy.set({ link: 'blackHole' });
    const first = await takeAll(claims);
    const second = await takeAll(claims);
    const failure = await takeAll([...claims, { limiter: closed, key: 'a' }]).catch((error: unknown) => error);
    await proxy.heal();
    expect(first).toMatchObject({ allowed: true, decisions: [{ degraded: true, remaining: 1 }, { degraded: true }] });
    expect(second).toMatchObject({ allowed: false, decision: { degraded: true, remaining: 1 } });
    expect(failure).toMatchObject({ code: 'MAC_RATE_LIMIT_STORE', limiter: 'failing' });
  });

  it('rate-limit-redis #239: a server that is down at the start causes no unhandled rejection, and is used once it is up', async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listen);
    const down = await startFaultProxy({ target: redisUrl(), conditions: { link: 'refuse' } });
    const { createClient } = await import('redis');
    const client = createClient({
      url: down.url,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: () => 20 },
    });
    client.on('error', () => {});
    const connecting = client.connect();
    const store = redisStore(client, { prefix: `${prefix}-down`, timeoutMs: 5_000 });
    const limiter = createRateLimiter({ name: 'down', limits: [tokenBucket({ limit: 9, periodMs: hour })], store });
    expect(await limiter.take('k')).toMatchObject({ allowed: true, source: 'fallback', degraded: true });
    await down.heal();
    await connecting;
    expect(await limiter.take('k')).toMatchObject({ allowed: true, source: 'store', degraded: false, remaining: 8 });
    process.off('unhandledRejection', listen);
    client.destroy();
    await down.close();
    expect(unhandled).toEqual([]);
  });
});

describe('tokens leased ahead', () => {
  it('sends few commands for many decisions, decides tryTake, and gives leases back on close', async () => {
    const redis = await nodeRedis();
    const store = redisStore(redis.client, { prefix: `${prefix}-lease`, timeoutMs: 5_000, lease: { ttlMs: 60_000 } });
    const limits = [tokenBucket({ limit: 100_000, periodMs: hour })];
    const limiter = createRateLimiter({ name: 'lease', limits, store });
    for (let i = 0; i < 2_000; i++) expect((await limiter.take('k')).allowed).toBe(true);
    expect(limiter.stats()['commands']).toBeLessThanOrEqual(200);
    expect(limiter.tryTake('k')).toMatchObject({ allowed: true, source: 'lease' });
    await limiter.close();
    const exact = createRateLimiter({
      name: 'lease',
      limits,
      store: redisStore(redis.client, { prefix: `${prefix}-lease`, timeoutMs: 5_000 }),
    });
    // A token flows back each 36 ms.
    const { remaining } = await exact.peek('k');
    expect(remaining).toBeGreaterThanOrEqual(100_000 - 2_001);
    expect(remaining).toBeLessThan(100_000 - 2_001 + 200);
    await redis.close();
  });

  it('rejects invalid options', () => {
    const client = { evalSha: async () => [], eval: async () => [] };
    for (const lease of [{ ttlMs: 5 }, { maxShare: 0.6 }, { share: 1 }]) {
      expect(() => redisStore(client, { lease } as never)).toThrow(
        expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }),
      );
    }
  });
});
