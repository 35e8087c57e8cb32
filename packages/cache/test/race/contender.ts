import { setTimeout as sleep } from 'node:timers/promises';
import { createCache, redisTier, type Coherence } from '@macadam/cache';
import { ioRedis, nodeRedis, type Connected } from '@macadam/test-support/redis-clients';

/** A cache that takes part in the race. */
export interface Contender {
  /** Opens one instance, in this process. */
  open(redisUrl: string, prefix: string): Promise<Instance>;
}

export interface Instance {
  /** Values are versions; `load` returns the current one, after a delay. */
  read(key: string, load: () => Promise<number>): Promise<number>;
  /** Whether all tiers have acknowledged it. */
  invalidate(key: string): Promise<boolean>;
  invalidateTag?(tag: string): Promise<boolean>;
  set?(key: string, version: number): Promise<boolean>;
}

/** Each key has the tag of its first letter. */
export const tagOf = (key: string): string => `tag-${key.slice(0, 1)}`;

const TTL_MS = 2_000;

/** This cache, with one coherence mode. Lifetimes are short, so that all kinds of refresh occur. */
const macadam = (coherence: Coherence, connect: (url: string) => Promise<Connected>): Contender => ({
  async open(url, prefix) {
    const { client } = await retryUntilConnected(() => connect(url));
    const cache = createCache<number>({
      name: 'race',
      ttlMs: TTL_MS,
      staleWhileRevalidateMs: TTL_MS,
      loaderSoftTimeoutMs: 5,
      coherence,
      l2: redisTier(client, { prefix }),
    });
    // While disconnected, it promises less.
    while (cache.stats().disconnected > 0) await sleep(10);
    return {
      read: (key, load) => cache.getOrLoad(key, load, { tags: [tagOf(key)] }),
      invalidate: (key) => cache.invalidate(key),
      invalidateTag: (tag) => cache.invalidateTags([tag]),
      set: (key, version) => cache.set(key, version, { tags: [tagOf(key)] }),
    };
  },
});

/**
 * A naive cache: look up, load, store. Nothing prevents it from storing a value that was invalidated during the load.
 */
const careless: Contender = {
  async open(url, prefix) {
    const { client: redis } = await nodeRedis(url);
    const keyOf = (key: string): string => `${prefix}:careless:${key}`;
    return {
      async read(key, load) {
        const found = await redis.sendCommand(['GET', keyOf(key)]);
        if (found !== null) return Number(found);
        const version = await load();
        await redis.sendCommand(['SET', keyOf(key), String(version), 'PX', String(TTL_MS)]);
        return version;
      },
      async invalidate(key) {
        await redis.sendCommand(['DEL', keyOf(key)]);
        return true;
      },
    };
  },
};

export const contenders: Record<string, Contender> = {
  'macadam, log': macadam('log', nodeRedis),
  'macadam, log, ioredis': macadam('log', ioRedis),
  'macadam, pubsub': macadam('pubsub', nodeRedis),
  'macadam, tracking': macadam('tracking', nodeRedis),
  'macadam, none': macadam('none', nodeRedis),
  careless,
};

/** Processes start while connections are cut, and not every driver retries by itself. */
async function retryUntilConnected<R>(attempt: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await sleep(50);
    }
  }
}
