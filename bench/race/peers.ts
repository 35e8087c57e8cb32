// The cache libraries in the race, each set up by its documentation with memory and Redis, and with its way to
// invalidate other processes if it has one.
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { Cacheable } from 'cacheable';
import { Redis } from 'ioredis';
import KeyvRedis from '@keyv/redis';
import { Keyv } from 'keyv';
import { tagOf, type Contender } from '../../packages/cache/test/race/contender.ts';

const TTL_MS = 2_000;

function connect(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1 });
  client.on('error', () => {});
  return client;
}

const bentocache: Contender = {
  async open(url, prefix) {
    const connection = connect(url);
    const tiered = bentostore({ prefix })
      .useL1Layer(memoryDriver({ maxItems: 10_000 }))
      .useL2Layer(redisDriver({ connection }))
      .useBus(redisBusDriver({ connection: connect(url), retryQueue: { enabled: true } }));
    const bento = new BentoCache({ default: 'tiered', stores: { tiered } });
    return {
      read: (key, load) => bento.getOrSet({ key, factory: load, ttl: TTL_MS, grace: '1h', tags: [tagOf(key)] }),
      async invalidate(key) {
        await bento.delete({ key });
        return true;
      },
      async invalidateTag(tag) {
        await bento.deleteByTag({ tags: [tag] });
        return true;
      },
      async set(key, version) {
        await bento.set({ key, value: version, ttl: TTL_MS, tags: [tagOf(key)] });
        return true;
      },
    };
  },
};

const cacheable: Contender = {
  async open(url, prefix) {
    const secondary = new Keyv({ store: new KeyvRedis(url), namespace: prefix });
    secondary.on('error', () => {});
    const cache = new Cacheable({ primary: new Keyv(), secondary, ttl: TTL_MS });
    cache.on('error', () => {});
    return {
      read: async (key, load) => (await cache.getOrSet(key, load, { ttl: TTL_MS })) as number,
      async invalidate(key) {
        await cache.delete(key);
        return true;
      },
      async set(key, version) {
        await cache.set(key, version, TTL_MS);
        return true;
      },
    };
  },
};

const asyncCacheDedupe: Contender = {
  async open(url, prefix) {
    // The function is defined once, so the loader is passed to it separately.
    const loads = new Map<string, () => Promise<number>>();
    const cache = createDedupe({
      ttl: TTL_MS / 1_000,
      stale: 1,
      storage: { type: 'redis', options: { client: connect(url), invalidation: { referencesTTL: 60 } } },
    }).define('version', { references: (key: string) => [`${prefix}~${key}`] }, (key: string) =>
      (loads.get(key) as () => Promise<number>)(),
    );
    return {
      async read(key, load) {
        loads.set(key, load);
        return await cache.version(key);
      },
      async invalidate(key) {
        await cache.invalidateAll(`${prefix}~${key}`);
        return true;
      },
    };
  },
};

export const contenders: Record<string, Contender> = { bentocache, cacheable, 'async-cache-dedupe': asyncCacheDedupe };
