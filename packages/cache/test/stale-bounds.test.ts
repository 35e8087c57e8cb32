// After its freshness has ended, a value may be served stale for the configured time, whoever ended it and whoever
// reads it.
import { describe, expect, it } from 'vitest';
import type { Cache, CacheOptions } from '@macadam/cache';
import { fleet, type Fleet } from './fleet.ts';

const ended = {
  'expire, by key': (cache: Cache<string | null>) => cache.expire('k'),
  'expire, by tag': (cache: Cache<string | null>) => cache.expireTags(['t']),
};

function two(
  options: Partial<CacheOptions<string | null>> = {},
): Fleet<string | null> & Record<'a' | 'b', Cache<string | null>> {
  const all = fleet<string | null>(2, options);
  const [a, b] = all.caches as [Cache<string | null>, Cache<string | null>];
  return { ...all, a, b };
}

const failing = (): Promise<never> => Promise.reject(new Error('the source is down'));

describe.each(Object.entries(ended))('after %s', (_, end) => {
  it('a cached absence is never served stale, in any process', async () => {
    for (const reader of ['a', 'b'] as const) {
      const { clock, ...caches } = two({ negativeTtlMs: 60_000 });
      await clock.runUntil(caches.a.set('k', null, { tags: ['t'] }));
      await clock.runUntil(end(caches.a));
      await clock.advance(100);
      const read = clock.runUntil(caches[reader].getOrLoad('k', failing));
      await expect(read, reader).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    }
  });

  it.each([
    [0, 10, false],
    [1_000, 500, true],
    [1_000, 30_000, false],
  ])('staleIfErrorMs %i, read after %i ms: serves stale: %s', async (staleIfErrorMs, afterMs, serves) => {
    for (const reader of ['a', 'b'] as const) {
      const { clock, ...caches } = two({ staleIfErrorMs });
      await clock.runUntil(caches.a.set('k', 'v', { tags: ['t'] }));
      await clock.runUntil(end(caches.a));
      await clock.advance(afterMs);
      const read = clock.runUntil(caches[reader].getOrLoad('k', failing));
      if (serves) expect(await read, reader).toBe('v');
      else await expect(read, reader).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    }
  });
});

describe('a fresh load in a process with an empty memory', () => {
  it.each([
    ['returns nothing', undefined],
    ['returns a value that is too large for the tier', 'x'.repeat(1_000)],
  ])('%s: removes the stored value from the tier', async (_, found) => {
    const { a, b, clock } = two({ maxValueBytes: 100, l1: { maxEntries: 1 } });
    await clock.runUntil(a.set('k', 'older'));
    // The change would also end the load.
    await clock.advance(10);
    expect(await clock.runUntil(b.getOrLoad('k', () => found as string, { fresh: true }))).toBe(found);
    await clock.advance(10);
    // It is gone once it is evicted from memory.
    await clock.runUntil(b.set('other', 'v'));
    expect(await clock.runUntil(b.get('k'))).toBeUndefined();
    expect(await clock.runUntil(a.get('k'))).toBeUndefined();
  });
});
