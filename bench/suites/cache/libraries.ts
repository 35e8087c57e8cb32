type Cache = typeof import('@macadam/cache');
type MacadamCache = import('@macadam/cache').Cache<typeof VALUE>;

export const VALUE = {
  id: 1,
  name: 'Ann Example',
  email: 'ann@example.org',
  roles: ['reader', 'writer'],
  active: true,
};
const HOUR_MS = 3_600_000;
/** The maximum number of entries of each library. */
export const MOST = 10_000;
const load = async (): Promise<typeof VALUE> => VALUE;

/** The operations that the cases need, implemented by each library; `end` closes connections. */
export interface Library {
  readonly get: (key: string) => Promise<unknown>;
  readonly getOrLoad: (key: string) => Promise<unknown>;
  readonly getMany?: (keys: string[]) => Promise<unknown>;
  readonly end?: () => unknown;
}

const url = process.env['REDIS_URL'] as string;

export async function macadam(
  options: Partial<Parameters<Cache['createCache']>[0]> = {},
): Promise<Library & { cache: MacadamCache }> {
  const { createCache } = await import('@macadam/cache');
  const cache = createCache<typeof VALUE>({ name: 'bench', ttlMs: HOUR_MS, ...(options as object) });
  return {
    cache,
    get: (key) => cache.get(key),
    getOrLoad: (key) => cache.getOrLoad(key, load),
    getMany: (keys) => cache.getMany(keys),
    end: () => cache.close(),
  };
}

export async function macadamShared(): Promise<Library> {
  const { redisTier } = await import('@macadam/cache');
  const client = await nodeRedis();
  const tier = redisTier(client as unknown as Parameters<typeof redisTier>[0], {
    prefix: 'bench-macadam',
    timeoutMs: 5_000,
  });
  const library = await macadam({ l1: false, l2: tier });
  const end = async (): Promise<void> => {
    await library.end?.();
    client.destroy();
  };
  return { ...library, end };
}

export async function bento(shared: boolean): Promise<Library> {
  const { BentoCache, bentostore } = await import('bentocache');
  // Only the driver that is used is loaded: in a process with the Redis driver, the memory driver is slower.
  const store = shared ? bentostore().useL2Layer(await bentoRedis()) : bentostore().useL1Layer(await bentoMemory());
  const cache = new BentoCache({ default: 'bench', stores: { bench: store } });
  return {
    get: (key) => cache.get({ key }),
    getOrLoad: (key) => cache.getOrSet({ key, factory: load, ttl: HOUR_MS }),
    end: () => cache.disconnectAll(),
  };
}

async function bentoRedis() {
  const { redisDriver } = await import('bentocache/drivers/redis');
  return redisDriver({ connection: (await ioRedis()) as never, prefix: 'bench-bento' });
}

async function bentoMemory() {
  const { memoryDriver } = await import('bentocache/drivers/memory');
  return memoryDriver({ maxItems: MOST, serialize: false });
}

export async function cacheable(): Promise<Library> {
  const { Cacheable, CacheableMemory, Keyv } = await import('cacheable');
  const primary = new Keyv({ store: new CacheableMemory({ lruSize: MOST, useClone: false }) });
  const cache = new Cacheable({ primary, ttl: HOUR_MS });
  return {
    get: (key) => cache.get(key),
    getOrLoad: (key) => cache.getOrSet(key, load),
    getMany: (keys) => cache.getMany(keys),
  };
}

export async function cacheManager(shared: boolean): Promise<Library> {
  const { createCache } = await import('cache-manager');
  const { CacheableMemory } = await import('cacheable');
  const { Keyv } = await import('keyv');
  const { createKeyv } = await import('@keyv/redis');
  const store = shared
    ? createKeyv(url, { namespace: 'bench-manager' })
    : new Keyv({ store: new CacheableMemory({ lruSize: MOST, useClone: false }) });
  const cache = createCache({ stores: [store], ttl: HOUR_MS });
  return {
    get: (key) => cache.get(key),
    getOrLoad: (key) => cache.wrap(key, load),
    getMany: (keys) => cache.mget(keys),
    end: () => cache.disconnect(),
  };
}

export async function dedupe(shared: boolean): Promise<Library> {
  const { createCache } = await import('async-cache-dedupe');
  const client = shared ? await ioRedis() : undefined;
  const storage = client
    ? { type: 'redis' as const, options: { client: client as never } }
    : { type: 'memory' as const, options: { size: MOST } };
  const cache = createCache({ ttl: HOUR_MS / 1_000, storage }).define('user', load);
  const call = (key: string): Promise<unknown> =>
    (cache as unknown as { user(key: string): Promise<unknown> }).user(key);
  return { get: call, getOrLoad: call, end: () => client?.disconnect() };
}

export async function nodeRedis(): Promise<ReturnType<(typeof import('redis'))['createClient']>> {
  const { createClient } = await import('redis');
  const client = createClient({ url, disableOfflineQueue: true });
  await client.connect();
  return client as unknown as ReturnType<(typeof import('redis'))['createClient']>;
}

async function ioRedis(): Promise<InstanceType<(typeof import('ioredis'))['Redis']>> {
  const { Redis } = await import('ioredis');
  return new Redis(url, { enableAutoPipelining: true });
}
