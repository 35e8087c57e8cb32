import { AsyncLocalStorage } from 'node:async_hooks';
import { currentWork, runWork } from '@macadam/core';
import type { LoaderOfMany } from '@macadam/cache';
import { describe, expect, it, vi } from 'vitest';
import { LoadSlots, NoSlot } from '../src/load-slots.ts';
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

  it('a caller that leaves while its load waits for a slot does not end the load for the others', async () => {
    for (const leave of ['deadline', 'signal'] as const) {
      const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 1 });
      const source = new Source(clock, 'v', 100);
      const holder = cache.getOrLoad('slow', source.load);
      const controller = new AbortController();
      const work = leave === 'deadline' ? { timeoutMs: 50, clock } : { signal: controller.signal };
      const leaving = runWork(work, () =>
        Promise.allSettled([
          cache.getOrLoad('a', source.load),
          cache.getOrLoadMany(['b'], (keys) => keys.map((key) => [key, 'many'] as const)),
        ]),
      );
      const staying = [cache.getOrLoad('a', source.load), cache.getOrLoad('b', source.load)];
      await clock.advance(50);
      controller.abort(new Error('left'));
      expect((await clock.runUntil(leaving)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(await clock.runUntil(Promise.all([holder, ...staying]))).toEqual(['v', 'v', 'many']);
      expect(source).toMatchObject({ loads: 2, mostAtOnce: 1 });
    }
  });

  it('a caller whose work has ended already starts no load, and warm no further batch', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v', 100);
    const ended = runWork({ timeoutMs: 50, clock }, async () => {
      await clock.sleep(60);
      return cache.getOrLoad('a', source.load);
    });
    await expect(clock.runUntil(ended)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(source.loads).toBe(0);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const asked: (readonly string[])[] = [];
    const load = async (missing: readonly string[]) => {
      asked.push(missing);
      await clock.sleep(30);
      return missing.map((key) => [key, 'v'] as const);
    };
    const warming = runWork({ timeoutMs: 50, clock }, () => cache.warm(keys, load, { batchSize: 10 }));
    await expect(clock.runUntil(warming)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(1_000);
    expect(asked.length).toBe(2);
    // The time passes during the only batch.
    const inOneBatch = runWork({ timeoutMs: 20, clock }, () => cache.warm(['last'], load));
    await expect(clock.runUntil(inOneBatch)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
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

describe('bulk loads and slots', () => {
  const valuesOf = (keys: readonly string[], value: string) => keys.map((key) => [key, value] as const);

  it('a read that joined an outdated bulk load loads again in its only slot', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 1 });
    let calls = 0;
    const load: LoaderOfMany<string> = async (keys, { addTags }) => {
      const value = `v${++calls}`;
      await clock.sleep(50);
      for (const key of keys) addTags(key, ['t']);
      return valuesOf(keys, value);
    };
    const before = cache.getOrLoadMany(['a'], load);
    await clock.advance(10);
    await cache.invalidateTags(['t']);
    const after = cache.getOrLoadMany(['a'], load);
    expect([...(await clock.runUntil(before)).values()]).toEqual(['v1']);
    expect([...(await clock.runUntil(after)).values()]).toEqual(['v2']);
    expect(clock.monotonic()).toBe(100);
  });

  it('bulk loads that ran out of time in the queue do not call their loader, and are refused as single ones are', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 2, loaderTimeoutMs: 300 });
    let running = 0;
    let mostAtOnce = 0;
    let aborted = 0;
    const load: LoaderOfMany<string> = async (keys, { signal }) => {
      mostAtOnce = Math.max(mostAtOnce, ++running);
      if (signal.aborted) aborted++;
      await clock.sleep(1_000);
      running--;
      return valuesOf(keys, 'late');
    };
    const reads = Array.from({ length: 100 }, (_, i) => cache.getOrLoadMany([`k${i}`], load));
    const results = await clock.runUntil(Promise.allSettled(reads));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    await clock.advance(2_000);
    expect({ mostAtOnce, aborted }).toEqual({ mostAtOnce: 2, aborted: 0 });
    expect(cache.stats()).toMatchObject({ inFlight: 0 });
  });

  it('a bulk load that gets no slot has the reason "refused"', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 1, loaderTimeoutMs: 300 });
    const slots = vi.spyOn(LoadSlots.prototype, 'run');
    const full = new Error('full');
    slots.mockImplementationOnce((_load, onRefused) => onRefused(new NoSlot(full)));
    const refused = cache.getOrLoadMany(['a'], (keys) => valuesOf(keys, 'v'));
    await expect(clock.runUntil(refused)).rejects.toMatchObject({ reason: 'refused', retryable: true, cause: full });
    slots.mockRestore();
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

  it('keeps the options of the call, also if the caller changes its object afterwards', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v');
    const tags = ['org:1'];
    const options = { ttlMs: 1_000, tags };
    const reads = [cache.getOrLoad('a', source.load, options), cache.getOrLoadMany(['b'], (keys) => keys.map((key) => [key, 'v'] as const), options)]; // prettier-ignore
    tags[0] = 'org:2';
    options.ttlMs = 2_000;
    await clock.runUntil(Promise.all(reads));
    tags[0] = 'org:3';
    expect(cache.inspect('a')).toMatchObject({ tags: ['org:1'], freshForMs: 1_000 });
    expect(cache.inspect('b')).toMatchObject({ tags: ['org:1'] });
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
