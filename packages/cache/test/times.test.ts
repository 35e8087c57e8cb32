import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createCache, type CacheOptions } from '@macadam/cache';
import { cacheInVirtualTime, Source } from './sources.ts';

describe('lifetimes', () => {
  it('bentocache #61, #66: supports lifetimes of 30 days and Infinity', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: Infinity, ttlJitter: 0.1, earlyRefresh: true });
    await cache.set('ever', 'v');
    await cache.set('month', 'v', { ttlMs: 30 * 86_400_000 });
    clock.assertNoTimers();
    await clock.advance(26 * 86_400_000);
    expect(cache.peek('month')).toBe('v');
    await clock.advance(5 * 86_400_000);
    expect(cache.peek('month')).toBeUndefined();
    await clock.advance(1e12);
    expect(cache.peek('ever')).toBe('v');
  });

  it('jitter spreads lifetimes and only shortens them', async () => {
    const { cache } = cacheInVirtualTime<string>({ ttlJitter: 0.1 });
    const lifetimes: number[] = [];
    for (let i = 0; i < 1_000; i++) {
      await cache.set(`${i}`, 'v', { ttlMs: 1_000 });
      lifetimes.push(cache.inspect(`${i}`)!.freshForMs);
    }
    expect(Math.max(...lifetimes)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...lifetimes)).toBeGreaterThan(900);
    expect(Math.min(...lifetimes)).toBeLessThan(910);
    expect(Math.max(...lifetimes)).toBeGreaterThan(990);
  });

  it('expire: the stale windows start at the expiry', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ staleWhileRevalidateMs: 100, staleIfErrorMs: 1_000 });
    const down = (): Promise<string> => Promise.reject(new Error('down'));
    await cache.set('a', 'v');
    await cache.expire('a');
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.getOrLoad('a', down)).toBe('v');
    await clock.advance(999);
    expect(await cache.getOrLoad('a', down)).toBe('v');
    await clock.advance(1);
    await expect(cache.getOrLoad('a', down)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });

  it('XFetch: the refresh starts the load duration plus an exponential time before expiry, at most a fifth of the lifetime', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ earlyRefresh: true, random: seededRandom(3) });
    const leads: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const source = new Source(clock, 'v', 50);
      await clock.runUntil(cache.getOrLoad(`${i}`, source.load, { ttlMs: 10_000 }));
      const { freshForMs, refreshInMs } = cache.inspect(`${i}`)!;
      leads.push(freshForMs - refreshInMs);
    }
    const share = (atLeast: number): number => leads.filter((lead) => lead >= atLeast).length / leads.length;
    expect(leads.reduce((sum, lead) => sum + lead) / leads.length).toBeCloseTo(100, -1);
    expect(Math.min(...leads)).toBeGreaterThanOrEqual(49.999);
    expect(share(100)).toBeCloseTo(Math.exp(-1), 1);
    expect(share(200)).toBeCloseTo(Math.exp(-3), 1);

    const slow = new Source(clock, 'v', 4_900);
    await clock.runUntil(cache.getOrLoad('slow', slow.load, { ttlMs: 1_000 }));
    const { freshForMs, refreshInMs } = cache.inspect('slow')!;
    expect(freshForMs - refreshInMs).toBeLessThanOrEqual(200.001);
  });

  it('early refresh keeps readers of a hot key from waiting', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ earlyRefresh: true, ttlMs: 1_000, random: seededRandom(5) });
    const source = new Source(clock, 'v', 20);
    await clock.runUntil(cache.getOrLoad('a', source.load));
    for (let i = 0; i < 10_000; i++) {
      await cache.getOrLoad('a', source.load);
      if (i % 4 === 0) await clock.advance(1);
    }
    expect(source.loads).toBeGreaterThan(2);
    expect(cache.stats()).toMatchObject({ misses: 1, staleHits: 0 });
  });

  it('a failed early refresh is not retried on every hit', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ earlyRefresh: true, ttlMs: 10_000, random: seededRandom(5) });
    const source = new Source(clock, 'v', 500);
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(cache.inspect('a')!.refreshInMs);
    Object.assign(source, { error: new Error('down'), delayMs: 0 });
    for (let i = 0; i < 50; i++) {
      expect(await cache.getOrLoad('a', source.load)).toBe('v');
      await clock.settle();
    }
    expect(source.loads).toBe(2);
  });
});

describe('options', () => {
  for (const [path, options] of [
    ['createCache.ttlMs', { ttlMs: 0 }],
    ['createCache.ttlMs', { ttlMs: -1 }],
    ['createCache.ttlMs', { ttlMs: Number.NaN }],
    ['createCache.ttlMs', { ttlMs: '5m' }],
    ['createCache.ttlJitter', { ttlJitter: 1 }],
    ['createCache.negativeTtlMs', { negativeTtlMs: 0 }],
    ['createCache.staleIfErrorMs', { staleIfErrorMs: -1 }],
    ['createCache.loaderTimeoutMs', { loaderTimeoutMs: Infinity }],
    ['createCache.maxConcurrentLoads', { maxConcurrentLoads: 0 }],
    ['createCache.isolation', { isolation: 'none' }],
    ['createCache.earlyRefresh', { earlyRefresh: 1 }],
    ['createCache.l1', { l1: false }],
    ['createCache.l1.maxEntries', { l1: { maxEntries: 0 } }],
    ['createCache.l1.maxBytes', { l1: { maxBytes: 1.5 } }],
    ['createCache.l1.max', { l1: { max: 5 } }],
    ['createCache.l2', { l2: {} }],
    ['createCache.name', { name: '' }],
    ['createCache.name', { name: 'x'.repeat(256) }],
    ['createCache.name', { name: 'half \ud800' }],
    ['createCache.schemaVersion', { schemaVersion: '\udfff' }],
    ['createCache.clock.monotonic', { clock: {} }],
    ['createCache.random', { random: 5 }],
    ['createCache.ttl', { ttl: 5 }],
  ] as const) {
    it(`cacheable #43, #348: rejects ${path} ${JSON.stringify(options)}`, () => {
      const wrong = { name: 'test', ...options } as unknown as CacheOptions;
      expect(() => createCache(wrong)).toThrowError(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
    });
  }

  it('rejects invalid options of a call with a rejected promise', async () => {
    const cache = createCache<string>({ name: 'test', clock: virtualClock() });
    const load = (): string => 'v';
    const refused = (path: string): object => ({ code: 'MAC_INVALID_OPTIONS', path });
    await expect(cache.getOrLoad('', load)).rejects.toMatchObject(refused('key'));
    await expect(cache.getOrLoad('a', load, { ttlMs: -1 })).rejects.toMatchObject(refused('getOrLoad.ttlMs'));
    await expect(cache.getOrLoad('a', load, { tag: 't' } as object)).rejects.toMatchObject(refused('getOrLoad.tag'));
    await expect(cache.getOrLoad('a', load, { tags: [''] })).rejects.toMatchObject(refused('getOrLoad.tags[0]'));
    await expect(cache.getOrLoad('a', 'v' as never)).rejects.toMatchObject(refused('getOrLoad.loader'));
    await expect(cache.set('a', 'v', { ttlMs: Number.NaN })).rejects.toMatchObject(refused('set.ttlMs'));
    await expect(cache.invalidateTags('t' as never)).rejects.toMatchObject(refused('invalidateTags.tags'));
  });
});
