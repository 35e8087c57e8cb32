// The cost of invalidating a tag of a million entries.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCache, redisTier, type Cache, type RedisClient } from '@macadam/cache';
import { nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { redisUrl } from '@macadam/test-support/redis-servers';

const ENTRIES = 1_000_000;
const ENTRIES_PER_SCRIPT = 5_000;
const prefix = `million-${process.pid}`;
const keyOf = (i: number): string => `k${String(i).padStart(7, '0')}`;

let redis: Connected;
const open: Cache<string>[] = [];
beforeAll(async () => {
  // A separate database, which can be emptied with one command.
  const url = new URL(redisUrl());
  url.pathname = '/9';
  redis = await nodeRedis(url.href);
});
afterAll(async () => {
  await Promise.all(open.map((cache) => cache.close()));
  await redis.command('FLUSHDB', 'ASYNC');
  await redis.close();
});

function instance(client: RedisClient = redis.client): Cache<string> {
  const l2 = redisTier(client, { prefix, timeoutMs: 5_000 });
  const cache = createCache<string>({ name: 'users', ttlMs: 3_600_000, staleIfErrorMs: 0, coherence: 'none', l2 });
  open.push(cache);
  return cache;
}

it(
  'async-cache-dedupe #89: invalidating a tag of a million entries takes two commands',
  { timeout: 120_000 },
  async () => {
    const commands: string[][] = [];
    const watched = new Proxy(redis.client, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (property === 'sendCommand') commands.push((args[0] as unknown[]).map(String));
          return (member as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    const cache = instance(watched);
    await cache.set(keyOf(0), 'value', { tags: ['all'] });
    // A script copies the entry in the server: sending each one would take minutes.
    const copy = `
    local entry = redis.call('GET', KEYS[1])
    local first, last = entry:find('k0000000', 1, true)
    local head, tail = entry:sub(1, first - 1), entry:sub(last + 1)
    for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
      local key = string.format('k%07d', i)
      redis.call('SET', ARGV[3] .. '{' .. key .. '}', head .. key .. tail, 'PX', 3600000)
    end`;
    for (let i = 1; i < ENTRIES; i += ENTRIES_PER_SCRIPT) {
      const last = Math.min(i + ENTRIES_PER_SCRIPT, ENTRIES) - 1;
      await redis.command(
        'EVAL',
        copy,
        '1',
        `${prefix}:users:{${keyOf(0)}}`,
        String(i),
        String(last),
        `${prefix}:users:`,
      );
    }
    expect(Number(await redis.command('DBSIZE'))).toBeGreaterThanOrEqual(ENTRIES);
    const some = Array.from({ length: 50 }, (_, i) => keyOf(i * 19_999));
    const cold = instance();
    expect((await cold.getMany(some)).size).toBe(50);
    expect((await cache.getMany(some)).size).toBe(50);

    commands.length = 0;
    expect(await cache.invalidateTags(['all'])).toBe(true);
    // The server does not know the script at first, so it is sent again with its source.
    expect(commands.length).toBeLessThanOrEqual(2);
    expect(commands.flat().filter((word) => /k\d{7}/.test(word))).toEqual([]);

    expect((await cache.getMany(some)).size).toBe(0);
    expect((await instance().getMany(some)).size).toBe(0);
    expect(await instance().getOrLoad(keyOf(7), () => 'newer')).toBe('newer');
  },
);
