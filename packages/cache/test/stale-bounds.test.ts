// What has lost its freshness serves for as long as it may from there, whoever ended it and whoever reads it.
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
  it('an absence serves nobody as stale, in the process that ended it and in others', async () => {
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
  ])('staleIfErrorMs %i, read after %i ms: serves as stale: %s', async (staleIfErrorMs, afterMs, serves) => {
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

describe('a load that is asked for fresh, in a process that has nothing in memory', () => {
  it.each([
    ['finds nothing', undefined],
    ['finds what is too large for the tier', 'x'.repeat(1_000)],
  ])('%s: what the tier has is over, for all', async (_, found) => {
    const { a, b, clock } = two({ maxValueBytes: 100, l1: { maxEntries: 1 } });
    await clock.runUntil(a.set('k', 'older'));
    // The news of that would end the load, too.
    await clock.advance(10);
    expect(await clock.runUntil(b.getOrLoad('k', () => found as string, { fresh: true }))).toBe(found);
    await clock.advance(10);
    // It is not there any more when the memory has let go of it.
    await clock.runUntil(b.set('other', 'v'));
    expect(await clock.runUntil(b.get('k'))).toBeUndefined();
    expect(await clock.runUntil(a.get('k'))).toBeUndefined();
  });
});
