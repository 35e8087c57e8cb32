import type { Operation } from '../operation.ts';

const HOUR_MS = 3_600_000;
const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
const ann = { id: 1, name: 'Ann Example', email: 'ann@example.org', roles: ['reader', 'writer'], active: true };
const loadAnn = async (): Promise<typeof ann> => ann;

/** An operation of the harness is a hundred lookups; here it is a single one, over the same thousand keys in turn. */
export const cache: Record<string, Operation> = {
  'macadam peek': {
    count: 35_000_000,
    make: async () => {
      const { createCache } = await import('@macadam/cache');
      const users = createCache<typeof ann>({
        name: 'users',
        ttlMs: HOUR_MS,
        l1: { maxEntries: 10_000, eviction: 'lru' },
      });
      for (const key of keys) await users.getOrLoad(key, loadAnn);
      return (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = users.peek(keys[i % 1_000] as string);
        return last;
      };
    },
  },
  'lru-cache get': {
    count: 70_000_000,
    make: async () => {
      const { LRUCache } = await import('lru-cache');
      const users = new LRUCache<string, typeof ann>({ max: 10_000 });
      for (const key of keys) users.set(key, ann);
      return (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = users.get(keys[i % 1_000] as string);
        return last;
      };
    },
  },
  'macadam getOrLoad': {
    count: 13_000_000,
    make: async () => {
      const { createCache } = await import('@macadam/cache');
      const users = createCache<typeof ann>({ name: 'users', ttlMs: HOUR_MS });
      for (const key of keys) await users.getOrLoad(key, loadAnn);
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await users.getOrLoad(keys[i % 1_000] as string, loadAnn);
        return last;
      };
    },
  },
  'bentocache getOrSet': {
    count: 1_200_000,
    make: async () => {
      const { BentoCache, bentostore } = await import('bentocache');
      const { memoryDriver } = await import('bentocache/drivers/memory');
      const store = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize: false }));
      const users = new BentoCache({ default: 'users', stores: { users: store } });
      for (const key of keys) await users.getOrSet({ key, factory: loadAnn, ttl: HOUR_MS });
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++)
          last = await users.getOrSet({ key: keys[i % 1_000] as string, factory: loadAnn, ttl: HOUR_MS });
        return last;
      };
    },
  },
};
