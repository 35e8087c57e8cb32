import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { createCache, type Cache } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';
import { describe, expect, it } from 'vitest';
import { fleet } from './fleet.ts';
import { cacheInVirtualTime, Source } from './sources.ts';

const collect = async (): Promise<void> => {
  expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => process.nextTick(resolve));
    globalThis.gc?.();
  }
};
const heap = async (): Promise<number> => {
  await collect();
  return process.memoryUsage().heapUsed;
};

describe('bounded memory', () => {
  it(
    'cacheable #1123: 200 000 distinct keys through 10 000 entries, with tags and invalidations',
    { timeout: 60_000 },
    async () => {
      const cache = createCache<number>({ name: 'leak' });
      const run = async (from: number, to: number): Promise<void> => {
        for (let i = from; i < to; i++) {
          await cache.getOrLoad(`key-${i}`, () => i, { tags: [`tag-${i}`] });
          if (i % 3 === 0) await cache.invalidate(`key-${i - 1}`);
          if (i % 5 === 0) await cache.invalidateTags([`tag-${i}`]);
        }
      };
      await run(0, 50_000);
      const before = await heap();
      await run(50_000, 200_000);
      expect((await heap()) - before).toBeLessThan(4_000_000);
      const { entries, inFlight, tags, hits, misses, loads } = cache.stats();
      expect({ entries, inFlight, tags, hits, misses, loads }).toEqual({
        entries: 10_000,
        inFlight: 0,
        tags: 10_000,
        hits: 0,
        misses: 200_000,
        loads: 200_000,
      });
    },
  );

  it('hits in the shared tier leave nothing for the old generation', async () => {
    const collectYoung = globalThis.gc as unknown as (options: { type: 'minor' }) => void;
    const keys = Array.from({ length: 64 }, (_, i) => `key-${i}`);
    await using cache = createCache<{ id: number }>({ name: 'young', l1: false, l2: memoryTier() });
    const turns = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await Promise.all(keys.map((key, id) => cache.getOrLoad(key, () => ({ id }))));
        if (i % 20 === 0) collectYoung({ type: 'minor' });
      }
    };
    await turns(200);
    const before = await heap();
    await turns(400);
    for (let i = 0; i < 2; i++) collectYoung({ type: 'minor' });
    // Nearly all of it, 13 MB, would remain if any old object referred to what comes and goes; see `InFlightMap`.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000);
    expect(cache.stats()).toMatchObject({ loads: 64, l2Hits: 599 * 64 });
  });

  it('removes its listener from a signal that outlives the call', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const { signal } = new AbortController();
    const source = new Source(clock, 'v');
    for (let i = 0; i < 100; i++) {
      const read = cache.getOrLoad(`${i}`, source.load, { signal });
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      await clock.runUntil(read);
      await cache.getOrLoad(`${i}`, source.load, { signal });
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    clock.assertNoTimers();
  });

  it('nestjs/throttler #2629: a background refresh does not retain the request that started it', async () => {
    const storage = new AsyncLocalStorage<object>();
    const cache = createCache<string>({ name: 'leak', ttlMs: 1_000, staleWhileRevalidateMs: 60_000 });
    await cache.set('a', 'v');
    await cache.expire('a');
    const request = async (): Promise<WeakRef<object>> => {
      const held = { body: new Uint8Array(1_000) };
      await storage.run(held, () => cache.getOrLoad('a', () => new Promise<string>(() => {})));
      return new WeakRef(held);
    };
    const held = await request();
    await collect();
    expect(held.deref()).toBeUndefined();
    expect(cache.stats().inFlight).toBe(1);
    await cache.close();
  });

  it('bentocache #26: close aborts loads, clears timers, and makes every later call reject', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v', 1_000);
    const waiting = cache.getOrLoad('a', source.load);
    const { signal } = source.contexts[0]!;
    const late = expect(waiting).rejects.toMatchObject({ code: 'MAC_CLOSED' });
    await cache[Symbol.asyncDispose]();
    await late;
    expect(signal.aborted).toBe(true);
    expect(clock.pendingTimers).toBe(1); // the source's own
    for (const call of [
      () => cache.getOrLoad('a', source.load),
      () => cache.getOrLoadMany(['a'], () => ({})),
      () => cache.get('a'),
      () => cache.set('a', 'v'),
      () => cache.invalidate('a'),
      () => cache.expire('a'),
      () => cache.invalidateTags(['t']),
      () => cache.expireTags(['t']),
      () => cache.clear(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'MAC_CLOSED', component: 'Cache "test"' });
    }
    await cache.close();
    expect(cache.peek('a')).toBeUndefined();
  });

  it('close: reads of the tier that are in flight store nothing, and a bulk loader is not called any more', async () => {
    const { caches, clock } = fleet<string>(2, {}, { latencyMs: 10, lagMs: 0 });
    const [writer, cache] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(writer.set('a', 'v'));
    let calls = 0;
    const load = (keys: readonly string[]) => (calls++, keys.map((key) => [key, 'v'] as const)); // prettier-ignore
    const found = [cache.get('a'), cache.getMany(['a'])];
    const loading = expect(cache.getOrLoadMany(['b', 'c'], load)).rejects.toMatchObject({ code: 'MAC_CLOSED' });
    await clock.advance(5);
    await cache.close();
    await loading;
    await clock.runUntil(Promise.all(found));
    await clock.advance(100);
    expect({ calls, entries: cache.stats().entries, peeked: cache.peek('a') }).toEqual({ calls: 0, entries: 0 });
    await expect(cache.getOrLoad('a', () => 'v')).rejects.toMatchObject({ code: 'MAC_CLOSED' });
  });

  it('an unreferenced cache is garbage collected in spite of its metrics', async () => {
    const make = (): WeakRef<object> => new WeakRef(createCache({ name: 'gone' }));
    const ref = make();
    await collect();
    expect(ref.deref()).toBeUndefined();
  });
});
