import type { Contender, Subject, Suite } from '../src/suite.ts';
import {
  bento,
  cacheable,
  cacheManager,
  dedupe,
  macadam,
  macadamShared,
  MOST,
  nodeRedis,
  VALUE,
  type Library,
} from './cache/libraries.ts';

const KEYS = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
const IN_FLIGHT = 64;
/** Lookups per operation: so many that the call of the operation itself does not matter. */
const AT_ONCE = 100;
const HERD = 250;

/** A hundred sequential lookups. */
function inTurn(get: (key: string) => unknown): () => void {
  let next = 0;
  return () => {
    for (let i = 0; i < AT_ONCE; i++) get(KEYS[(next = (next + 1) % KEYS.length)] as string);
  };
}

/** The same for lookups that return a promise. */
function awaited(get: (key: string) => Promise<unknown>): () => Promise<void> {
  let next = 0;
  return async () => {
    for (let i = 0; i < AT_ONCE; i++) await get(KEYS[(next = (next + 1) % KEYS.length)] as string);
  };
}

/** One lookup, of several that are in flight together. */
function together(get: (key: string) => Promise<unknown>): () => Promise<unknown> {
  let next = 0;
  return () => get(KEYS[(next = (next + 1) % KEYS.length)] as string);
}

/** A hundred keys by one call. */
function batches(get: (keys: string[]) => unknown): () => unknown {
  let next = 0;
  return () => get(KEYS.slice((next = (next + AT_ONCE) % KEYS.length), next + AT_ONCE));
}

/** Concurrent lookups of one missing key, a new key each time. */
function herds(get: (key: string) => Promise<unknown>): () => Promise<unknown> {
  let next = 0;
  return () => {
    const key = `herd:${next++}`;
    return Promise.all(Array.from({ length: HERD }, () => get(key)));
  };
}

/** A contender with a warm cache. */
function warm(
  name: string,
  from: string,
  open: () => Promise<Library>,
  subject: (library: Library) => Subject,
): Contender {
  const setup = async (): Promise<Subject> => {
    const library = await open();
    for (const key of KEYS) await library.getOrLoad(key);
    return { ...subject(library), close: () => library.end?.() };
  };
  return { name, from, setup };
}

const hit = (library: Library): Subject => ({ run: awaited(library.getOrLoad) });
const get = (library: Library): Subject => ({ run: awaited(library.get) });
const many = (library: Library): Subject => ({ run: batches((keys) => library.getMany?.(keys)) });
const shared = (library: Library): Subject => ({ inFlight: IN_FLIGHT, run: together(library.getOrLoad) });
const sharedMany = (library: Library): Subject => ({ run: batches((keys) => library.getMany?.(keys)) });
const herd = (library: Library): Subject => ({ run: herds(library.getOrLoad) });

const peek = (name: string, eviction: 'lru' | 's3-fifo'): Contender => ({
  name,
  from: '@macadam/cache',
  setup: async () => {
    const { cache, getOrLoad } = await macadam({ l1: { maxEntries: MOST, eviction } });
    for (const key of KEYS) await getOrLoad(key);
    return { run: inTurn((key) => cache.peek(key)) };
  },
});

const bareLru: Contender = {
  name: 'lru-cache get',
  from: 'lru-cache',
  setup: async () => {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache<string, typeof VALUE>({ max: MOST });
    for (const key of KEYS) cache.set(key, VALUE);
    return { run: inTurn((key) => cache.get(key)) };
  },
};

const bareGet: Contender = {
  name: 'redis GET',
  from: 'redis',
  setup: async () => {
    const client = await nodeRedis();
    for (const key of KEYS) await client.set(`bench-bare:${key}`, JSON.stringify(VALUE));
    const run = together((key) => client.get(`bench-bare:${key}`));
    return { inFlight: IN_FLIGHT, run, close: () => client.destroy() };
  },
};

const bareMget: Contender = {
  name: 'redis MGET and JSON.parse',
  from: 'redis',
  setup: async () => {
    const client = await nodeRedis();
    for (const key of KEYS) await client.set(`bench-bare:${key}`, JSON.stringify(VALUE));
    const run = batches(async (keys) => {
      const texts = await client.mGet(keys.map((key) => `bench-bare:${key}`));
      return texts.map((text) => (text === null ? text : JSON.parse(text)));
    });
    return { run, close: () => client.destroy() };
  },
};

const MACADAM = '@macadam/cache';

export const suite: Suite = {
  name: 'cache',
  what: 'The cost of a lookup. Values in memory are not serialized, and callers share the objects. Every cache may hold 10 000 entries and holds 1 000.',
  cases: [
    {
      name: 'memory, synchronous',
      what: 'A hundred synchronous lookups of cached values.',
      contenders: [peek('macadam peek', 'lru'), peek('macadam peek, s3-fifo', 's3-fifo'), bareLru],
      claims: [{ of: 'macadam peek', to: 'lru-cache get', atMost: 2 }],
    },
    {
      name: 'memory, get',
      what: 'A hundred lookups of cached values, each awaited.',
      contenders: [
        warm('macadam get', MACADAM, macadam, get),
        warm('bentocache get', 'bentocache', () => bento(false), get),
        warm('cacheable get', 'cacheable', cacheable, get),
        warm('cache-manager get', 'cache-manager', () => cacheManager(false), get),
      ],
      claims: [{ of: 'macadam get', to: 'bentocache get', atMost: 0.5 }],
    },
    {
      name: 'memory, get or load',
      what: 'A hundred calls that return the cached value or load it, each awaited. All values are cached.',
      contenders: [
        warm('macadam getOrLoad', MACADAM, macadam, hit),
        warm('bentocache getOrSet', 'bentocache', () => bento(false), hit),
        warm('cacheable getOrSet', 'cacheable', cacheable, hit),
        warm('cache-manager wrap', 'cache-manager', () => cacheManager(false), hit),
        warm('async-cache-dedupe', 'async-cache-dedupe', () => dedupe(false), hit),
      ],
      claims: [
        { of: 'macadam getOrLoad', to: 'bentocache getOrSet', atMost: 0.25 },
        { of: 'macadam getOrLoad', to: 'async-cache-dedupe', atMost: 0.5 },
      ],
    },
    {
      name: 'memory, batch of 100 keys',
      what: 'A hundred cached values, read by one call.',
      contenders: [
        warm('macadam getMany', MACADAM, macadam, many),
        warm('cacheable getMany', 'cacheable', cacheable, many),
        warm('cache-manager mget', 'cache-manager', () => cacheManager(false), many),
      ],
      claims: [{ of: 'macadam getMany', to: 'cacheable getMany', atMost: 1 }],
    },
    {
      name: 'memory, cold herd',
      what: '250 concurrent calls for a key that is not cached. cache-manager and cacheable also share one load within a process.',
      contenders: [
        warm('macadam getOrLoad', MACADAM, macadam, herd),
        warm('bentocache getOrSet', 'bentocache', () => bento(false), herd),
        warm('cacheable getOrSet', 'cacheable', cacheable, herd),
        warm('cache-manager wrap', 'cache-manager', () => cacheManager(false), herd),
        warm('async-cache-dedupe', 'async-cache-dedupe', () => dedupe(false), herd),
      ],
      claims: [{ of: 'macadam getOrLoad', to: 'bentocache getOrSet', atMost: 1 }],
    },
    // Needs a server: set REDIS_URL.
    ...(process.env['REDIS_URL'] === undefined
      ? []
      : [
          {
            name: 'Redis, 64 in flight',
            what: 'CPU time of this process for reading a value from the shared tier, with no tier in memory. bentocache and async-cache-dedupe use ioredis with auto-pipelining.',
            contenders: [
              warm('macadam getOrLoad', MACADAM, macadamShared, shared),
              bareGet,
              warm('bentocache getOrSet', 'bentocache', () => bento(true), shared),
              warm('cache-manager wrap', 'cache-manager', () => cacheManager(true), shared),
              warm('async-cache-dedupe', 'async-cache-dedupe', () => dedupe(true), shared),
            ],
            claims: [
              { of: 'macadam getOrLoad', to: 'redis GET', atMost: 1.3 },
              { of: 'macadam getOrLoad', to: 'bentocache getOrSet', atMost: 1 },
            ],
          },
          {
            name: 'Redis, batch of 100 keys',
            what: 'CPU time of this process for reading a hundred values from the shared tier, with no tier in memory.',
            contenders: [
              warm('macadam getMany', MACADAM, macadamShared, sharedMany),
              bareMget,
              warm('cache-manager mget', 'cache-manager', () => cacheManager(true), sharedMany),
            ],
            claims: [{ of: 'macadam getMany', to: 'cache-manager mget', atMost: 1 }],
          },
        ]),
  ],
};
