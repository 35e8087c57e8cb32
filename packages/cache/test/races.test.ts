import { describe, expect, it } from 'vitest';
import { createCache, type Cache, type Coherence, type Tier, type TierMarks } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { cacheInVirtualTime, Source } from './sources.ts';

describe('an invalidation during a load', () => {
  for (const [name, invalidate] of [
    ['invalidate', (cache) => cache.invalidate('a')],
    ['expire', (cache) => cache.expire('a')],
    ['clear', (cache) => cache.clear()],
    ['set', (cache) => cache.set('a', 'v2')],
  ] satisfies [string, (cache: ReturnType<typeof cacheInVirtualTime<string>>['cache']) => Promise<boolean>][]) {
    it(`FusionCache #625, #535, #613: ${name}: the result is not stored; callers that waited before get it`, async () => {
      const { cache, clock } = cacheInVirtualTime<string>();
      const source = new Source(clock, 'v1');
      const before = cache.getOrLoad('a', source.load);
      await clock.settle();
      source.value = 'v2';
      await invalidate(cache);
      const after = cache.getOrLoad('a', source.load);
      expect(await clock.runUntil(before)).toBe('v1');
      expect(await clock.runUntil(after)).toBe('v2');
      expect(cache.peek('a')).toBe('v2');
      expect(cache.stats()).toMatchObject({ fenced: 1, inFlight: 0 });
    });
  }

  for (const known of ['in the options', 'only after the load'] as const) {
    it(`HybridCache, FusionCache #628: a tag known ${known} is invalidated during the load`, async () => {
      const { cache, clock } = cacheInVirtualTime<string>();
      const source = new Source(clock, 'v1');
      const load: typeof source.load = async (context) => {
        const value = await source.load(context);
        if (known !== 'in the options') context.addTags(['t']);
        return value;
      };
      const options = known === 'in the options' ? { tags: ['t'] } : {};
      const before = cache.getOrLoad('a', load, options);
      await clock.advance(5);
      source.value = 'v2';
      await cache.invalidateTags(['t']);
      const after = cache.getOrLoad('a', load, options);
      expect(await clock.runUntil(before)).toBe('v1');
      expect(await clock.runUntil(after)).toBe('v2');
      expect(await clock.runUntil(cache.getOrLoad('a', load, options))).toBe('v2');
      expect(source.loads).toBe(2);
    });
  }

  it('two tag invalidations during one load: a read between them does not get a value from before the first', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v1');
    const before = cache.getOrLoad('a', source.load, { tags: ['t'] });
    source.value = 'v2';
    await cache.invalidateTags(['t']);
    const between = cache.getOrLoad('a', source.load, { tags: ['t'] });
    source.value = 'v3';
    await cache.invalidateTags(['t']);
    expect(await clock.runUntil(before)).toBe('v1');
    expect(await clock.runUntil(between)).toBe('v3');
  });

  it('FusionCache #628 (b, c): discards background refreshes and loads that exceeded the soft timeout', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 1_000, staleWhileRevalidateMs: 1_000 });
    const source = new Source(clock, 'v1', 500);
    await clock.runUntil(cache.getOrLoad('a', source.load, { tags: ['t'] }));
    await clock.advance(1_100);
    expect(await cache.getOrLoad('a', source.load, { tags: ['t'] })).toBe('v1');
    source.value = 'v2';
    await cache.invalidateTags(['t']);
    await clock.advance(600);
    expect(cache.inspect('a')).toBeUndefined();
    expect(await clock.runUntil(cache.getOrLoad('a', source.load, { tags: ['t'] }))).toBe('v2');

    await clock.advance(2_500);
    const start = clock.monotonic();
    const slow = cache.getOrLoad('a', source.load, { tags: ['t'] });
    expect(await clock.runUntil(slow)).toBe('v2');
    expect(clock.monotonic() - start).toBe(100);
    source.value = 'v3';
    await cache.invalidateTags(['t']);
    await clock.advance(1_000);
    expect(cache.peek('a')).toBeUndefined();
    expect(cache.stats().fenced).toBe(2);
  });

  it('does not serve an invalidated value when the load fails or is slow', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 1_000 });
    const source = new Source(clock, 'v1', 10);
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(1_000);
    Object.assign(source, { delayMs: 1_000, error: new Error('down') });
    const waiting = cache.getOrLoad('a', source.load);
    await clock.advance(50);
    await cache.invalidate('a');
    await expect(clock.runUntil(waiting)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER', reason: 'failed' });
  });

  it('an evicted stale value is still served if its load fails; an invalidated one is not', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ ttlMs: 1_000, l1: { maxEntries: 1 } });
    const source = new Source(clock, 'v1', 10);
    const fail = { delayMs: 10, error: new Error('down') };
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(1_000);
    Object.assign(source, fail);
    const evicted = cache.getOrLoad('a', source.load);
    await cache.set('b', 'other');
    expect(await clock.runUntil(evicted)).toBe('v1');

    Object.assign(source, { error: undefined });
    await clock.runUntil(cache.getOrLoad('a', source.load));
    await clock.advance(1_000);
    Object.assign(source, fail);
    const removed = cache.getOrLoad('a', source.load);
    await cache.set('b', 'other');
    await cache.invalidate('a');
    await expect(clock.runUntil(removed)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });
});

/** Three instances, where each write and each reading of the marks takes longer than the other operations. */
function instances(coherence: Coherence): { clock: VirtualClock; caches: readonly Cache<string>[] } {
  const clock = virtualClock();
  const tier = memoryTier({ latencyMs: 10, lagMs: 2 });
  const open: Tier['open'] = (options) => {
    const space = tier.open(options);
    const write = space.write.bind(space);
    const marks = space.marks.bind(space);
    return Object.assign(space, {
      // The first attempt is refused after 20 ms, as a server does that finds it too late.
      write: async (...[key, entry, ttlMs, onAnswer, isCurrent]: Parameters<typeof write>): Promise<boolean> => {
        await clock.sleep(20);
        onAnswer?.();
        return isCurrent?.() !== false && write(key, entry, ttlMs);
      },
      marks: async (): Promise<TierMarks> => {
        const all = await marks();
        await clock.sleep(20);
        return all;
      },
    });
  };
  const create = (): Cache<string> =>
    createCache<string>({ name: 'races', ttlJitter: 0, clock, coherence, l2: { ...tier, open } });
  return { clock, caches: [create(), create(), create()] };
}

async function readyInstances(): Promise<{ clock: VirtualClock; one: Cache<string>; other: Cache<string> }> {
  const { clock, caches } = instances('log');
  const [one, other] = caches as [Cache<string>, Cache<string>];
  await clock.runUntil(one.get('reads the marks'));
  return { clock, one, other };
}

describe('a set whose entry is sent twice', () => {
  for (const [name, change] of [
    ['invalidate', (cache: Cache<string>) => cache.invalidate('a')],
    ['expire', (cache: Cache<string>) => cache.expire('a')],
    ['a removal by set', (cache: Cache<string>) => cache.set('a', undefined)],
  ] as const) {
    // While the first attempt is under way, in the turn in which it is refused, and after it was sent again.
    for (const afterMs of [0, 5, 19, 20, 21, 29, 30]) {
      it(`does not overtake ${name} of the same instance, ${afterMs} ms later`, async () => {
        const { clock, one, other } = await readyInstances();
        const setting = one.set('a', 'v1');
        await clock.advance(afterMs);
        const changing = change(one);
        expect(await clock.runUntil(changing)).toBe(true);
        await clock.runUntil(setting);
        await clock.advance(100);
        for (const cache of [one, other]) expect(await clock.runUntil(cache.get('a'))).toBeUndefined();
        expect(one.stats().unsettled).toBe(0);
      });
    }
  }

  it('does not overtake another set: the newer value counts, and the older set resolves with false', async () => {
    for (const afterMs of [0, 5, 19, 20, 29]) {
      const { clock, one, other } = await readyInstances();
      const first = one.set('a', 'v1');
      await clock.advance(afterMs);
      const second = one.set('a', 'v2');
      expect(await clock.runUntil(Promise.all([first, second]))).toEqual([afterMs >= 20, true]);
      expect([one.peek('a'), await clock.runUntil(other.get('a'))]).toEqual(['v2', 'v2']);
    }
  });

  it('is no failure of the tier when it is overtaken: the circuit breaker stays closed', async () => {
    const { clock, one } = await readyInstances();
    for (let i = 0; i < 10; i++) {
      const setting = one.set(`k${i}`, 'v');
      await clock.advance(5);
      expect(await clock.runUntil(Promise.all([one.invalidate(`k${i}`), setting]))).toEqual([true, false]);
    }
    expect(one.stats()).toMatchObject({ l2Errors: 0, l2Refused: 0, unsettled: 0 });
  });
});

/** Two instances. Of the first one, each write that stores `late` takes effect later than what is sent after it. */
async function instancesWithLateWrites(
  takeEffect: (store: () => Promise<boolean>, clock: VirtualClock) => Promise<boolean>,
): Promise<{ clock: VirtualClock; one: Cache<string>; other: Cache<string> }> {
  const clock = virtualClock();
  const tier = memoryTier({ latencyMs: 10, lagMs: 2 });
  const open: Tier['open'] = (options) => {
    const space = tier.open(options);
    const write = space.write.bind(space);
    return Object.assign(space, {
      write: (...args: Parameters<typeof write>): Promise<boolean> => {
        const isLate = Buffer.from(args[1]).includes('late');
        return isLate ? takeEffect(() => write(...args), clock) : write(...args);
      },
    });
  };
  const create = (l2: Tier): Cache<string> => createCache<string>({ name: 'races', ttlJitter: 0, clock, l2 });
  const [one, other] = [create({ ...tier, open }), create(tier)];
  for (const cache of [one, other]) await clock.runUntil(cache.get('reads the marks'));
  return { clock, one, other };
}

describe('a set that takes effect after a newer change, as when a driver sends it again', () => {
  for (const [outcome, takeEffect] of [
    ['is acknowledged', (store, clock) => clock.sleep(150).then(store)],
    [
      'has failed before',
      (store, clock) => {
        void clock.sleep(300).then(store);
        return clock.sleep(5).then(() => Promise.reject(new Error('The connection broke')));
      },
    ],
    [
      'is never acknowledged',
      (store, clock) => {
        void clock.sleep(400).then(store);
        return new Promise<never>(() => {});
      },
    ],
  ] as readonly [string, Parameters<typeof instancesWithLateWrites>[0]][]) {
    for (const [name, change] of [
      ['invalidate', (cache: Cache<string>) => cache.invalidate(['b', 'a'])],
      ['expire', (cache: Cache<string>) => cache.expire('a')],
      ['a removal by set', (cache: Cache<string>) => cache.set('a', undefined)],
      ['set', (cache: Cache<string>) => cache.set('a', 'v2')],
    ] as const) {
      for (const afterMs of [0, 7, 100, 260]) {
        it(`${outcome}: does not undo ${name} ${afterMs} ms later`, async () => {
          const { clock, one, other } = await instancesWithLateWrites(takeEffect);
          const setting = one.set('a', 'late');
          await clock.advance(afterMs);
          expect(await clock.runUntil(change(one))).toBe(true);
          for (const cache of [one, other]) expect(await clock.runUntil(cache.get('a'))).not.toBe('late');
          await clock.runUntil(setting);
          await clock.advance(2_000);
          for (const cache of [one, other]) expect(await clock.runUntil(cache.get('a'))).not.toBe('late');
          expect(one.stats().unsettled).toBe(0);
        });
      }
    }
  }

  it('delays no later change once it can no longer take effect', async () => {
    const { clock, one } = await instancesWithLateWrites(() => Promise.reject(new Error('The connection broke')));
    expect(await clock.runUntil(one.set('a', 'late'))).toBe(false);
    await clock.advance(2_000);
    const start = clock.monotonic();
    expect(await clock.runUntil(one.invalidate('a'))).toBe(true);
    expect(clock.monotonic() - start).toBeLessThanOrEqual(10);
  });

  it('leaves what is set after the change that had to be sent again', async () => {
    const { clock, one, other } = await instancesWithLateWrites((store) => clock.sleep(150).then(store));
    const changes = [one.set('a', 'late')];
    await clock.advance(5);
    changes.push(one.invalidate('a'));
    await clock.advance(160);
    changes.push(one.set('a', 'v3'));
    expect(await clock.runUntil(Promise.all(changes))).toEqual([true, true, true]);
    await clock.advance(1_000);
    for (const cache of [one, other]) expect(await clock.runUntil(cache.get('a'))).toBe('v3');
  });
});

describe('a set that waits until the marks of the tier are known', () => {
  for (const [name, end] of [
    ['invalidateTags', (cache: Cache<string>) => cache.invalidateTags(['other', 't'])],
    ['expireTags', (cache: Cache<string>) => cache.expireTags(['t'])],
    ['clear', (cache: Cache<string>) => cache.clear()],
  ] as const) {
    for (const coherence of ['log', 'none'] as const) {
      for (const afterMs of [0, 5, 19, 20, 29, 30, 31, 40]) {
        it(`does not survive ${name} ${afterMs} ms later (coherence ${coherence})`, async () => {
          const { clock, caches } = instances(coherence);
          const [one, other, cold] = caches as [Cache<string>, Cache<string>, Cache<string>];
          await clock.runUntil(other.set('a', 'v0'));
          const setting = one.set('a', 'v1', { tags: ['t'] });
          await clock.advance(afterMs);
          expect(await clock.runUntil(Promise.all([setting, end(one)]))).toEqual([true, true]);
          await clock.advance(1_100);
          for (const cache of [one, cold]) expect(await clock.runUntil(cache.get('a'))).toBeUndefined();
        });
      }
    }
  }

  it('survives an invalidation of other tags, and one that was acknowledged before', async () => {
    const { clock, caches } = instances('log');
    const [one, other] = caches as [Cache<string>, Cache<string>];
    expect(await clock.runUntil(one.invalidateTags(['t']))).toBe(true);
    const setting = one.set('a', 'v1', { tags: ['t'] });
    const ending = one.invalidateTags(['other']);
    expect(await clock.runUntil(Promise.all([setting, ending]))).toEqual([true, true]);
    expect(await clock.runUntil(other.get('a'))).toBe('v1');
  });
});

describe('loads in flight', () => {
  it('lru-cache #320, #388: no invalidation, replacement or eviction rejects a waiter', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ l1: { maxEntries: 2 }, maxConcurrentLoads: 2 });
    const source = new Source(clock, 'v');
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cache.getOrLoad(key, source.load)));
    await clock.settle();
    await cache.invalidate('a');
    await cache.set('b', 'w');
    expect(await clock.runUntil(all)).toEqual(['v', 'v', 'v', 'v', 'v']);
    expect(source.mostAtOnce).toBe(2);
    expect(cache.stats()).toMatchObject({ entries: 2, inFlight: 0 });
  });

  it('lru-cache docs: fresh: true does not join an older load', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v1');
    const first = cache.getOrLoad('a', source.load);
    await clock.advance(5);
    source.value = 'v2';
    const fresh = cache.getOrLoad('a', source.load, { fresh: true });
    expect(await clock.runUntil(first)).toBe('v1');
    expect(cache.peek('a')).toBeUndefined();
    expect(await clock.runUntil(fresh)).toBe('v2');
    expect(cache.peek('a')).toBe('v2');
  });

  it('a fresh read rejects when the load fails, even if there is a stale value', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v1');
    await clock.runUntil(cache.getOrLoad('a', source.load));
    source.error = new Error('down');
    await expect(clock.runUntil(cache.getOrLoad('a', source.load, { fresh: true }))).rejects.toMatchObject({
      cause: source.error,
    });
    expect(cache.peek('a')).toBe('v1');
  });
});

describe('tags', () => {
  it('bentocache #71: invalidateTags removes the value; expireTags allows serving it stale during the reload', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const source = new Source(clock, 'v1', 1_000);
    await clock.runUntil(cache.getOrLoad('a', source.load, { tags: ['t'] }));
    await cache.expireTags(['t']);
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.get('a')).toBeUndefined();
    source.error = new Error('down');
    expect(await clock.runUntil(cache.getOrLoad('a', source.load, { tags: ['t'] }))).toBe('v1');
    await cache.invalidateTags(['t']);
    expect(cache.inspect('a')).toBeUndefined();
    await expect(clock.runUntil(cache.getOrLoad('a', source.load))).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });

  it('bentocache #83: an entry keeps the tags it was stored with', async () => {
    const { cache } = cacheInVirtualTime<string>();
    await cache.set('a', 'v', { tags: ['old'] });
    await cache.invalidateTags(['new']);
    expect(cache.peek('a')).toBe('v');
    await cache.invalidateTags(['old']);
    expect(cache.peek('a')).toBeUndefined();
    await cache.set('a', 'w', { tags: ['old'] });
    expect(cache.peek('a')).toBe('w');
  });

  it('FusionCache #319: does not depend on the wall clock', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    await cache.set('a', 'v', { tags: ['t'] });
    clock.jump(-900_000);
    await cache.invalidateTags(['t']);
    expect(cache.peek('a')).toBeUndefined();
    await cache.set('a', 'w', { tags: ['t'] });
    clock.jump(1_800_000);
    expect(cache.peek('a')).toBe('w');
  });

  it('reloads older tagged entries when there are more invalidated tags than it remembers', async () => {
    const { cache } = cacheInVirtualTime<string>();
    await cache.set('tagged', 'v', { tags: ['t'] });
    await cache.set('plain', 'v');
    await cache.invalidateTags(Array.from({ length: 20_000 }, (_, i) => `other-${i}`));
    expect(cache.peek('tagged')).toBeUndefined();
    expect(cache.peek('plain')).toBe('v');
    await cache.set('later', 'v', { tags: ['t'] });
    expect(cache.peek('later')).toBe('v');
    expect(cache.stats().tags).toBe(10_000);
  });
});
