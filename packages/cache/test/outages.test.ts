// Reads and invalidations while the shared tier fails or hangs, in virtual time.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { virtualClock } from '@macadam/testkit';
import { createCache, type Cache, type Tier } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';
import { fleet, type Link } from './fleet.ts';
import { Source } from './sources.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown): unknown => unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  // alkem-io/server#6330, parse-server #10635: no background work may cause an unhandled rejection.
  expect(unhandled.splice(0)).toEqual([]);
});

describe('reads', () => {
  for (const state of ['hang', 'down'] as const) {
    it(`cacheable #1202, keyv #1496: the tier is in state "${state}": loads after the timeout, then at once`, async () => {
      const { caches, clock, links } = fleet<string>(1);
      const [cache] = caches as [Cache<string>];
      (links[0] as Link).state = state;
      const times: number[] = [];
      for (let i = 0; i < 30; i++) {
        const start = clock.monotonic();
        expect(await clock.runUntil(cache.getOrLoad(`k${i}`, async () => 'loaded'))).toBe('loaded');
        times.push(clock.monotonic() - start);
      }
      expect(Math.max(...times)).toBeLessThanOrEqual(250);
      // Each read also reads the marks, which counts as a call.
      expect(times.filter((ms) => ms > 1).length).toBeLessThanOrEqual(5);
      expect(times.slice(5).every((ms) => ms < 1)).toBe(true);
    });
  }

  it('FusionCache #534: serves a stale value within the soft timeout although the tier hangs', async () => {
    const { caches, clock, links } = fleet<string>(1, { ttlMs: 1_000 });
    const [cache] = caches as [Cache<string>];
    await clock.runUntil(cache.set('k', 'v1'));
    await clock.advance(1_500);
    (links[0] as Link).state = 'hang';
    const source = new Source(clock, 'v2', 1_000);
    const start = clock.monotonic();
    expect(await clock.runUntil(cache.getOrLoad('k', source.load))).toBe('v1');
    expect(clock.monotonic() - start).toBeLessThanOrEqual(100);
    await clock.advance(1_200);
    expect(cache.peek('k')).toBe('v2');
  });

  it('keyv #1472, cacheable #1554: a failing loader rejects with its cause; a failing tier never rejects', async () => {
    const { caches, clock, links } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    (links[0] as Link).state = 'down';
    const cause = new Error('the source is down');
    const failing = clock.runUntil(cache.getOrLoad('k', () => Promise.reject(cause)));
    await expect(failing).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER', cause });
    expect(await clock.runUntil(cache.get('k'))).toBeUndefined();
    expect(await clock.runUntil(cache.getMany(['k']))).toEqual(new Map());
    expect(await clock.runUntil(cache.set('k', 'v'))).toBe(false);
    expect(cache.stats().l2Errors).toBeGreaterThan(0);
  });

  it('releases a lease that arrives after the timeout', async () => {
    const { caches, clock } = fleet<string>(1, {}, { latencyMs: 400, lagMs: 0 });
    const [cache] = caches as [Cache<string>];
    expect(await clock.runUntil(cache.getOrLoad('k', async () => 'alone'))).toBe('alone');
    await clock.advance(1_000);
    expect(cache.stats()).toMatchObject({ loads: 1, inFlight: 0 });
  });
});

describe('invalidations that the tier has not acknowledged', () => {
  it('bentocache set: takes effect in this process at once, and everywhere when the tier is back', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [cut, other] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1');
    for (const cache of [cut, other]) {
      for (const key of ['a', 'b', 'c', 'd'])
        await clock.runUntil(cache.getOrLoad(key, source.load, { tags: [`of ${key}`] }));
    }
    (links[0] as Link).state = 'down';
    source.value = 'v2';
    expect(await clock.runUntil(cut.invalidate('a'))).toBe(false);
    expect(await clock.runUntil(cut.set('b', 'v2'))).toBe(false);
    expect(await clock.runUntil(cut.invalidateTags(['of c']))).toBe(false);
    expect(await clock.runUntil(cut.expire('d'))).toBe(false);
    expect(cut.stats().unsettled).toBe(4);
    // Until then, this process does not read from the tier what it has invalidated.
    (links[0] as Link).state = 'up';
    for (const key of ['a', 'c', 'd']) expect(await clock.runUntil(cut.getOrLoad(key, source.load))).toBe('v2');
    expect(cut.peek('b')).toBe('v2');
    await clock.advance(5_000);
    expect(cut.stats().unsettled).toBe(0);
    for (const key of ['a', 'b', 'c', 'd']) {
      expect(other.peek(key), key).toBeUndefined();
      expect(await clock.runUntil(other.getOrLoad(key, source.load)), key).toBe('v2');
    }
  });

  it('a failed set is replayed as an invalidation, because another instance may have stored a newer value', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [cut, other] = caches as [Cache<string>, Cache<string>];
    (links[0] as Link).state = 'down';
    await clock.runUntil(cut.set('k', 'v1'));
    await clock.runUntil(other.set('k', 'v2'));
    (links[0] as Link).state = 'up';
    await clock.advance(5_000);
    const source = new Source(clock, 'v2');
    for (const cache of [cut, other]) expect(await clock.runUntil(cache.getOrLoad('k', source.load))).toBe('v2');
  });

  it('clears the tier when there are more failed invalidations than it remembers', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [cut, other] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(other.set('k', 'v1'));
    (links[0] as Link).state = 'down';
    const keys = Array.from({ length: 30_000 }, (_, i) => `k${i}`);
    for (let i = 0; i < keys.length; i += 1_000) await clock.runUntil(cut.invalidate(keys.slice(i, i + 1_000)));
    expect(cut.stats().unsettled).toBeLessThanOrEqual(10_001);
    expect(await clock.runUntil(cut.get('k'))).toBeUndefined();
    (links[0] as Link).state = 'up';
    await clock.advance(60_000);
    expect(cut.stats().unsettled).toBe(0);
    expect(other.peek('k')).toBeUndefined();
    expect(await clock.runUntil(other.get('k'))).toBeUndefined();
  });

  it('does not serve a value from the tier that was invalidated while the tier was down, even when loading fails', async () => {
    const { caches, clock, links } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    await clock.runUntil(cache.set('k', 'v1', { tags: ['t'] }));
    (links[0] as Link).state = 'down';
    await clock.runUntil(cache.invalidateTags(['t']));
    (links[0] as Link).state = 'up';
    const failing = cache.getOrLoad('k', () => Promise.reject(new Error('down')));
    await expect(clock.runUntil(failing)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });

  it('a failed removal is not downgraded by a later expiry', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [cut, other] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(cut.set('k', 'v1', { tags: ['t'] }));
    (links[0] as Link).state = 'hang';
    const endings = [cut.invalidate('k'), cut.expire('k'), cut.invalidateTags(['t']), cut.expireTags(['t'])];
    expect(await clock.runUntil(Promise.all(endings))).toEqual([false, false, false, false]);
    (links[0] as Link).state = 'up';
    await clock.advance(60_000);
    expect(cut.stats().unsettled).toBe(0);
    for (const cache of [cut, other]) {
      const failing = cache.getOrLoad('k', () => Promise.reject(new Error('down')));
      await expect(clock.runUntil(failing)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    }
  });

  it('a removal of one key of a list does not turn the expiry of the others into a removal', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [cache, other] = caches as [Cache<string>, Cache<string>];
    for (const key of ['removed', 'expired']) await clock.runUntil(cache.set(key, 'v1', { tags: [`of ${key}`] }));
    await clock.advance(10);
    await clock.runUntil(other.getMany(['removed', 'expired']));
    (links[0] as Link).operations.length = 0;
    const endings = [cache.invalidate('removed'), cache.expire(['removed', 'expired'])];
    expect(await clock.runUntil(Promise.all(endings))).toEqual([true, true]);
    expect((links[0] as Link).operations).toEqual(['remove', 'remove', 'expire']);
    await clock.advance(10);
    expect(other.inspect('removed')).toBeUndefined();
    expect(other.inspect('expired')).toMatchObject({ state: 'staleIfError' });
    const tagEndings = [cache.invalidateTags(['of removed']), cache.expireTags(['of removed', 'of expired'])];
    expect(await clock.runUntil(Promise.all(tagEndings))).toEqual([true, true]);
    const failing = (): Promise<string> => Promise.reject(new Error('down'));
    expect(await clock.runUntil(other.getOrLoad('expired', failing))).toBe('v1');
  });

  it('an acknowledged clear does not cover an invalidation that began, and failed, while it was under way', async () => {
    const { caches, clock, links } = fleet<string>(2, {}, { latencyMs: 20, lagMs: 2 });
    const [cut, other] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1', 0);
    (links[0] as Link).state = 'down';
    expect(await clock.runUntil(cut.invalidate('before'))).toBe(false);
    (links[0] as Link).state = 'up';
    const clearing = cut.clear();
    (links[0] as Link).state = 'down';
    source.value = 'v2';
    expect(await cut.invalidate('k')).toBe(false);
    expect(await clock.runUntil(clearing)).toBe(true);
    expect(cut.stats().unsettled).toBe(1);
    await clock.runUntil(other.set('k', 'v1'));
    (links[0] as Link).state = 'up';
    await clock.advance(5_000);
    expect(cut.stats()).toMatchObject({ unsettled: 0, replayed: 1 });
    for (const cache of caches) expect(await clock.runUntil(cache.getOrLoad('k', source.load))).toBe('v2');
  });

  it('a name that the tier always refuses does not block the replay of the others', async () => {
    const clock = virtualClock();
    const tier = memoryTier();
    const sent: number[] = [];
    let isDown = true;
    const isRefused = (names: readonly string[]): boolean => isDown || names.some((name) => name.endsWith('bad'));
    const open: Tier['open'] = (options) => {
      const space = tier.open(options);
      const unless = <R>(names: readonly string[], call: () => Promise<R>): Promise<R> => {
        sent.push(names.length);
        return isRefused(names.map(String)) ? Promise.reject(new Error('refused')) : call();
      };
      return Object.assign(Object.create(space) as typeof space, {
        remove: (keys: readonly string[]) => unless(keys, () => space.remove(keys)),
        mark: (tags: readonly string[], how: 'expired') => unless(tags, () => space.mark(tags, how)),
        marks: () => space.marks(),
        read: (keys: readonly string[]) => space.read(keys),
        close: () => space.close(),
      });
    };
    const cache = createCache<string>({ name: 'bad', clock, l2: { ...tier, circuitBreaker: false, open } });
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    await clock.runUntil(cache.invalidate([...keys, 'bad']));
    await clock.runUntil(cache.invalidateTags(['t', 'bad']));
    await clock.advance(30_000);
    expect(cache.stats().unsettled).toBe(103);
    isDown = false;
    sent.length = 0;
    await clock.advance(6_000);
    expect(cache.stats().unsettled).toBe(2);
    // In spite of the outage, during which it tried with few names: not one call per name.
    expect(sent.filter((count) => count > 8).length).toBeGreaterThan(0);
    await cache.close();
    clock.assertNoTimers();
  });

  it('invalidates a list of any length in chunks, and nothing else', async () => {
    const { caches, clock } = fleet<string>(2);
    const [cache, other] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(other.set('kept', 'v1'));
    await clock.runUntil(other.set('k29999', 'v1'));
    const names = Array.from({ length: 30_000 }, (_, i) => `k${i}`);
    expect(await clock.runUntil(Promise.all([cache.invalidate(names), cache.invalidateTags(names)]))).toEqual([
      true,
      true,
    ]);
    expect(cache.stats().unsettled).toBe(0);
    await clock.advance(10);
    expect(await clock.runUntil(cache.get('kept'))).toBe('v1');
    for (const one of caches) expect(await clock.runUntil(one.get('k29999'))).toBeUndefined();
  });

  it('each of two round trips has the whole timeout', async () => {
    const clock = virtualClock();
    const tier = memoryTier();
    let tells = true;
    const twoTrips = async (onAnswer: (() => void) | undefined): Promise<void> => {
      await clock.sleep(200);
      onAnswer?.();
      if (!tells) return new Promise(() => {});
      await clock.sleep(200);
    };
    const open: Tier['open'] = (options) =>
      Object.assign(tier.open(options), {
        marks: async () => ({ epoch: 'e', position: 1, floor: 0, marks: [] }),
        remove: (_keys: readonly string[], onAnswer?: () => void) => twoTrips(onAnswer),
        expire: (_keys: readonly string[], _head: Uint8Array, _ms: number, onAnswer?: () => void) => twoTrips(onAnswer),
        write: (_key: string, _entry: Uint8Array, _ms: number, onAnswer?: () => void) =>
          twoTrips(onAnswer).then(() => true),
      });
    const cache = createCache<string>({ name: 'far', clock, l2: { ...tier, open } });
    for (const end of [() => cache.invalidate('k'), () => cache.expire('k'), () => cache.set('k', 'v')]) {
      expect(await clock.runUntil(end())).toBe(true);
    }
    tells = false;
    const begunAt = clock.monotonic();
    expect(await clock.runUntil(cache.invalidate('k'))).toBe(false);
    expect(clock.monotonic() - begunAt).toBe(450);
    await cache.close();
  });

  it('a set that is overtaken by another one resolves with false', async () => {
    const { caches, clock, links } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    (links[0] as Link).state = 'hang';
    expect(await clock.runUntil(Promise.all([cache.set('k', 'v1'), cache.set('k', 'v2')]))).toEqual([false, false]);
  });

  it('close stops the replay of failed invalidations', async () => {
    const { caches, clock, links } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    (links[0] as Link).state = 'down';
    await clock.runUntil(cache.invalidate('k'));
    await cache.close();
    const { operations } = links[0] as Link;
    operations.length = 0;
    await clock.advance(60_000);
    expect(operations).toEqual([]);
    clock.assertNoTimers();
  });
});
