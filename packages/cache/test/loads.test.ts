import { AsyncLocalStorage } from 'node:async_hooks';
import { currentWork, runWork } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import { cacheInVirtualTime, Source } from './sources.ts';

describe('single flight', () => {
  it('cacheable #888: a thousand concurrent reads of a cold key are one load', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v');
    const all = Promise.all(Array.from({ length: 1_000 }, () => cache.getOrLoad('a', source.load)));
    expect(new Set(await clock.runUntil(all))).toEqual(new Set(['v']));
    expect(source.loads).toBe(1);
    expect(cache.stats()).toMatchObject({ misses: 1_000, joined: 999, loads: 1 });
  });

  it('async-cache-dedupe #164: a hundred concurrent reads of a stale key are one refresh, and none waits', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 100, staleWhileRevalidateMs: 100 });
    const source = new Source(clock, 'v1');
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(150);
    source.value = 'v2';
    const reads = Array.from({ length: 100 }, () => cache.getOrLoad('a', source.load));
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['v1']));
    await clock.advance(10);
    expect(cache.peek('a')).toBe('v2');
    expect(source.loads).toBe(2);
    expect(cache.stats()).toMatchObject({ staleHits: 100, refreshes: 1 });
  });

  it('bentocache: a failing load with a hundred waiters is one load, and rejects each of them', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v');
    source.error = new Error('down');
    const all = Promise.allSettled(Array.from({ length: 100 }, () => cache.getOrLoad('a', source.load)));
    const results = await clock.runUntil(all);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(source).toMatchObject({ loads: 1, mostAtOnce: 1 });
  });

  it('an abort ends only the wait of its caller; the load continues even without callers', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v');
    const controller = new AbortController();
    const leaving = cache.getOrLoad('a', source.load, { signal: controller.signal });
    const staying = cache.getOrLoad('a', source.load);
    const signal = source.contexts[0]!.signal;
    controller.abort('left');
    await expect(leaving).rejects.toBe('left');
    expect(await clock.runUntil(staying)).toBe('v');
    expect(signal.aborted).toBe(false);

    const alone = new AbortController();
    const left = cache.getOrLoad('b', source.load, { signal: alone.signal });
    alone.abort('left');
    await expect(left).rejects.toBe('left');
    await clock.advance(10);
    expect(cache.peek('b')).toBe('v');
  });

  it('a caller waits at most until the deadline of its work, which does not apply to the shared load', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v', 100);
    let work: unknown = 'not called';
    const load: typeof source.load = (context) => {
      work = currentWork();
      return source.load(context);
    };
    const waiting = runWork({ timeoutMs: 50, clock }, () => cache.getOrLoad('a', load));
    await expect(clock.runUntil(waiting)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(work).toBeUndefined();
    await clock.advance(50);
    expect(cache.peek('a')).toBe('v');
  });

  it('a background refresh does not see the async context of the call that started it', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 100, staleWhileRevalidateMs: 100 });
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const load = (): string => {
      seen.push(request.getStore());
      return 'v';
    };
    await request.run('first', () => cache.getOrLoad('a', load));
    await clock.advance(150);
    await request.run('second', () => cache.getOrLoad('a', load));
    expect(seen).toEqual(['first', undefined]);
  });
});

describe('a loader that fails', () => {
  it('keyv #1472: rejects with CacheLoaderError and its cause', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v');
    source.error = new Error('down');
    await expect(clock.runUntil(cache.getOrLoad('a', source.load))).rejects.toMatchObject({
      code: 'MAC_CACHE_LOADER',
      cache: 'test',
      reason: 'failed',
      retryable: false,
      cause: source.error,
    });
    const sync = (): string => {
      throw source.error as Error;
    };
    await expect(cache.getOrLoad('a', sync)).rejects.toMatchObject({ cause: source.error });
  });

  it('serves the stale value within staleIfErrorMs, and retries after 1 s, 2 s, 4 s, … 30 s', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({
      ttlMs: 1_000,
      staleIfErrorMs: 300_000,
      random: () => 1 - 2 ** -53,
    });
    const source = new Source(clock, 'v', 0);
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(1_000);
    source.error = new Error('down');
    const attempts: number[] = [];
    for (let second = 0; second < 100; second++) {
      const before = source.loads;
      expect(await clock.runUntil(cache.getOrLoad('a', source.load))).toBe('v');
      if (source.loads > before) attempts.push(second);
      await clock.advance(1_000);
    }
    expect(attempts).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    await clock.advance(200_000);
    await expect(clock.runUntil(cache.getOrLoad('a', source.load))).rejects.toMatchObject({ cause: source.error });
    source.error = undefined;
    expect(await clock.runUntil(cache.getOrLoad('a', source.load))).toBe('v');
  });

  it('a slow load: callers get the stale value after 100 ms, and the load continues', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 1_000 });
    const source = new Source(clock, 'v1', 10);
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(1_000);
    Object.assign(source, { value: 'v2', delayMs: 400 });
    const start = clock.monotonic();
    const first = cache.getOrLoad('a', source.load);
    await clock.advance(60);
    const second = cache.getOrLoad('a', source.load);
    expect(await clock.runUntil(Promise.all([first, second]))).toEqual(['v1', 'v1']);
    expect(clock.monotonic() - start).toBe(100);
    expect(await cache.getOrLoad('a', source.load)).toBe('v1');
    await clock.advance(300);
    expect(cache.peek('a')).toBe('v2');
    expect(source.loads).toBe(2);
  });

  it('a load that never ends: rejects after loaderTimeoutMs, aborts its signal, frees its slot, ignores its result', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 1, loaderTimeoutMs: 2_000 });
    const source = new Source(clock, 'late', 10_000);
    const waiting = cache.getOrLoad('a', source.load);
    const signal = source.contexts[0]!.signal;
    await expect(clock.runUntil(waiting)).rejects.toMatchObject({ reason: 'timeout', retryable: true });
    expect(clock.monotonic()).toBe(2_000);
    expect(signal.aborted).toBe(true);
    expect(await clock.runUntil(cache.getOrLoad('b', () => 'b'))).toBe('b');
    await clock.advance(10_000);
    expect(cache.peek('a')).toBeUndefined();
    expect(cache.stats()).toMatchObject({ loadTimeouts: 1, inFlight: 0 });
    clock.assertNoTimers();
  });
});

describe('the context of a loader', () => {
  it('cacheable #185, #89: undefined and skip() are not stored; null, 0, false, NaN and "" are', async () => {
    const { cache, clock } = cacheInVirtualTime<unknown>();
    expect(await cache.getOrLoad('u', () => undefined)).toBeUndefined();
    expect(cache.inspect('u')).toBeUndefined();
    expect(await cache.getOrLoad('s', ({ skip }) => (skip(), 's'))).toBe('s');
    expect(cache.inspect('s')).toBeUndefined();
    for (const value of [null, 0, false, Number.NaN, '']) {
      await cache.getOrLoad('a', () => value, { fresh: true });
      expect(cache.peek('a')).toBe(value);
      expect(await cache.get('a')).toBe(value);
      expect(await cache.getOrLoad('a', () => 'not called')).toBe(value);
    }
    await cache.set('gone', null);
    expect(cache.inspect('gone')).toMatchObject({ negative: true, freshForMs: 5_000, staleForMs: 5_000 });
    await clock.advance(5_000);
    expect(cache.peek('gone')).toBeUndefined();
    await expect(cache.getOrLoad('gone', () => Promise.reject(new Error('down')))).rejects.toThrow();
  });

  it('a result that is not stored removes the stored value', async () => {
    const { cache, clock } = cacheInVirtualTime<string | undefined>({ ttlMs: 1_000 });
    await cache.set('a', 'v');
    await clock.advance(1_000);
    expect(await cache.getOrLoad('a', () => undefined)).toBeUndefined();
    await expect(cache.getOrLoad('a', () => Promise.reject(new Error('down')))).rejects.toThrow();
  });

  it('setTtl, addTags and the stale value', async () => {
    const { cache, clock } = cacheInVirtualTime<{ etag: string }>();
    const first = await cache.getOrLoad(
      'a',
      ({ setTtl, addTags }) => {
        setTtl(500);
        addTags(['x', 'y']);
        return { etag: '1' };
      },
      { ttlMs: 9_000, tags: ['y', 'z'] },
    );
    expect(cache.inspect('a')).toMatchObject({ freshForMs: 500, tags: ['y', 'z', 'x'], state: 'fresh' });
    await clock.advance(700);
    const renewed = await cache.getOrLoad('a', ({ stale }) => {
      expect(stale).toEqual({ value: first, ageMs: 700 });
      return stale!.value;
    });
    expect(renewed).toBe(first);
    expect(cache.inspect('a')).toMatchObject({ freshForMs: 60_000, tags: [] });
  });

  it('invalid arguments to setTtl and addTags fail the load', async () => {
    const { cache } = cacheInVirtualTime<string>();
    for (const ttlMs of [-1, Number.NaN, '5m' as unknown as number]) {
      const wrong = cache.getOrLoad('a', ({ setTtl }) => (setTtl(ttlMs), 'v'));
      await expect(wrong).rejects.toMatchObject({ cause: { code: 'MAC_INVALID_OPTIONS' } });
    }
    const many = Array.from({ length: 17 }, (_, i) => `t${i}`);
    const wrong = cache.getOrLoad('a', ({ addTags }) => (addTags(many), 'v'));
    await expect(wrong).rejects.toMatchObject({ cause: { path: 'addTags.tags' } });
  });
});
