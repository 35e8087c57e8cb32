// Several instances that share a tier, in virtual time.
import { runWork } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import type { Cache } from '@macadam/cache';
import { fleet, type Link } from './fleet.ts';
import { Source } from './sources.ts';

describe('one load for all instances', () => {
  it('cacheable #888, #1201: 4 instances x 250 concurrent gets of a cold key are one load', async () => {
    const { caches, clock } = fleet<string>(4);
    const source = new Source(clock, 'v1', 40);
    const reads = caches.flatMap((cache) => Array.from({ length: 250 }, () => cache.getOrLoad('k', source.load)));
    const values = await clock.runUntil(Promise.all(reads));
    expect(new Set(values)).toEqual(new Set(['v1']));
    expect(source.loads).toBe(1);
    for (const cache of caches) expect(cache.peek('k')).toBe('v1');
  });

  it('cacheable #1201: each instance loads once while the tier is down', async () => {
    const { caches, clock, links } = fleet<string>(4);
    for (const link of links) link.state = 'down';
    const source = new Source(clock, 'v1', 40);
    const reads = caches.flatMap((cache) => Array.from({ length: 250 }, () => cache.getOrLoad('k', source.load)));
    await clock.runUntil(Promise.all(reads));
    expect(source.loads).toBe(4);
  });

  it('counts operations: L1 hit 0, L2 hit 1, cold miss 2', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1');
    await clock.runUntil(first.get('warms up what is known of tags'));
    await clock.runUntil(second.get('warms up what is known of tags'));
    for (const { operations } of links) operations.length = 0;
    await clock.runUntil(first.getOrLoad('k', source.load));
    await clock.advance(10);
    expect(links[0]?.operations).toEqual(['read', 'fill']);
    await clock.runUntil(second.getOrLoad('k', source.load));
    expect(links[1]?.operations).toEqual(['read']);
    await clock.runUntil(second.getOrLoad('k', source.load));
    expect(links[1]?.operations).toEqual(['read']);
    expect(source.loads).toBe(1);
  });

  it('bentocache Locks.release: a failing loader releases its lease, and waiters do not pile up', async () => {
    const { caches, clock } = fleet<string>(3);
    const source = new Source(clock, 'v1', 10);
    source.error = new Error('down');
    const reads = caches.map((cache) => cache.getOrLoad('k', source.load).catch((error: Error) => error));
    const results = await clock.runUntil(Promise.all(reads));
    for (const result of results) expect(result).toMatchObject({ code: 'MAC_CACHE_LOADER' });
    expect(source.mostAtOnce).toBe(1);
    expect(source.loads).toBe(3);
  });

  it('a caller that leaves ends no load, fill or lease of others, not even of those that it shares a read with', async () => {
    for (const leave of ['deadline', 'signal'] as const) {
      const { caches, clock } = fleet<string>(2);
      const [one, other] = caches as [Cache<string>, Cache<string>];
      const source = new Source(clock, 'v1', 100);
      const controller = new AbortController();
      const work = leave === 'deadline' ? { timeoutMs: 50, clock } : { signal: controller.signal };
      const leaving = runWork(work, () => one.getOrLoad('a', source.load));
      const left = expect(leaving).rejects.toThrow(leave === 'deadline' ? 'deadline' : 'left');
      const staying = runWork({}, () => one.getOrLoad('b', source.load));
      await clock.advance(50);
      controller.abort(new Error('left'));
      await left;
      expect(await clock.runUntil(staying)).toBe('v1');
      await clock.advance(10);
      expect(one.stats()).toMatchObject({ l2Fills: 2, loads: 2, loadFailures: 0 });
      const begunAt = clock.monotonic();
      for (const key of ['a', 'b']) expect(await clock.runUntil(other.getOrLoad(key, source.load))).toBe('v1');
      expect(clock.monotonic() - begunAt).toBeLessThan(10);
      expect(source.loads).toBe(2);
    }
  });

  it('a caller that leaves ends no invalidation of its own', async () => {
    const { caches, clock } = fleet<string>(1, {}, { latencyMs: 20, lagMs: 0 });
    const [cache] = caches as [Cache<string>];
    const changing = runWork({ timeoutMs: 10, clock }, () =>
      Promise.all([cache.invalidate('a'), cache.set('b', 'v'), cache.clear()]),
    );
    expect(await clock.runUntil(changing)).toEqual([true, true, true]);
    expect(cache.stats()).toMatchObject({ unsettled: 0, replayed: 0 });
  });

  it('waits at most one second for another instance, then loads without storing in the tier', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const slow = new Source(clock, 'slow', 4_000);
    const quick = new Source(clock, 'quick', 10);
    const first = (caches[0] as Cache<string>).getOrLoad('k', slow.load);
    await clock.advance(5);
    const start = clock.monotonic();
    expect(await clock.runUntil((caches[1] as Cache<string>).getOrLoad('k', quick.load))).toBe('quick');
    expect(clock.monotonic() - start).toBeGreaterThan(900);
    expect(clock.monotonic() - start).toBeLessThan(1_500);
    expect(links[1]?.operations).not.toContain('fill');
    expect(await clock.runUntil(first)).toBe('slow');
  });

  it('bentocache #103: no caller with a stale value waits for the lease of another instance', async () => {
    const { caches, clock } = fleet<string>(2, { ttlMs: 1_000, loaderSoftTimeoutMs: 5_000 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1', 10);
    await clock.runUntil(first.getOrLoad('k', source.load));
    await clock.runUntil(second.getOrLoad('k', source.load));
    await clock.advance(1_100);
    source.value = 'v2';
    source.delayMs = 800;
    const loading = first.getOrLoad('k', source.load);
    await clock.advance(5);
    const start = clock.monotonic();
    expect(await clock.runUntil(second.getOrLoad('k', source.load))).toBe('v1');
    expect(clock.monotonic() - start).toBeLessThan(10);
    expect(await clock.runUntil(loading)).toBe('v2');
    await clock.advance(300);
    expect(await clock.runUntil(second.getOrLoad('k', source.load))).toBe('v2');
    expect(source.loads).toBe(2);
  });

  it('async-cache-dedupe #164: 100 reads of a stale key on 4 instances are one refresh', async () => {
    const { caches, clock } = fleet<string>(4, { ttlMs: 1_000, staleWhileRevalidateMs: 10_000 });
    const source = new Source(clock, 'v1', 10);
    for (const cache of caches) await clock.runUntil(cache.getOrLoad('k', source.load));
    await clock.advance(1_500);
    source.value = 'v2';
    const reads = caches.flatMap((cache) => Array.from({ length: 25 }, () => cache.getOrLoad('k', source.load)));
    expect(new Set(await clock.runUntil(Promise.all(reads)))).toEqual(new Set(['v1']));
    await clock.advance(500);
    // The other instances find it at their next lookup, in the background of one more caller.
    for (const cache of caches) await clock.runUntil(cache.getOrLoad('k', source.load));
    await clock.advance(10);
    for (const cache of caches) expect(await clock.runUntil(cache.getOrLoad('k', source.load))).toBe('v2');
    expect(source.loads).toBe(2);
  });

  it('a batch reads the tier in one operation and loads the keys that are missing there with one call', async () => {
    const { caches, clock } = fleet<number>(2);
    const [first, second] = caches as [Cache<number>, Cache<number>];
    const calls: string[][] = [];
    const load = async (keys: readonly string[]) => {
      calls.push([...keys]);
      await clock.sleep(10);
      return keys.map((key) => [key, key.length] as const);
    };
    await clock.runUntil(first.getOrLoadMany(['a', 'bb'], load));
    await clock.advance(10);
    const values = await clock.runUntil(second.getOrLoadMany(['a', 'bb', 'ccc', 'dddd'], load));
    expect([...values]).toEqual([['a', 1], ['bb', 2], ['ccc', 3], ['dddd', 4]]); // prettier-ignore
    expect(calls).toEqual([['a', 'bb'], ['ccc', 'dddd']]); // prettier-ignore
    expect(await clock.runUntil(first.getMany(['ccc', 'none']))).toEqual(new Map([['ccc', 3]]));
  });

  it('a batch whose keys are all being loaded by another instance loads them one by one, within its slots', async () => {
    const { caches, clock } = fleet<string>(2, { maxConcurrentLoads: 4 });
    const [holder, cache] = caches as [Cache<string>, Cache<string>];
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const load = (value: string, delayMs: number) => {
      const calls: (readonly string[])[] = [];
      const loader = async (missing: readonly string[]) => {
        calls.push(missing);
        await clock.sleep(delayMs);
        return missing.map((key) => [key, value] as const);
      };
      return { calls, loader };
    };
    const slow = holder.getOrLoadMany(keys, load('slow', 4_000).loader);
    await clock.advance(10);
    const alone = load('alone', 100);
    const reads = cache.getOrLoadMany(keys, alone.loader);
    await clock.advance(1_100);
    const begunAt = clock.monotonic();
    expect(await clock.runUntil(cache.getOrLoad('unrelated', () => 'v'))).toBe('v');
    expect(clock.monotonic() - begunAt).toBeLessThan(1_000);
    expect([...(await clock.runUntil(reads)).values()]).toEqual(keys.map(() => 'alone'));
    expect(alone.calls.every((missing) => missing.length === 1)).toBe(true);
    expect(cache.stats().loadTimeouts).toBe(0);
    await clock.runUntil(slow);
  });

  it('a batch does not wait for a key that another instance is loading', async () => {
    const { caches, clock } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const slow = new Source(clock, 'slow', 300);
    const loading = first.getOrLoad('a', slow.load);
    await clock.advance(5);
    const begun: number[] = [];
    const both = second.getOrLoadMany(['a', 'b'], async (keys) => {
      begun.push(clock.monotonic());
      return keys.map((key) => [key, 'quick'] as const);
    });
    const values = await clock.runUntil(both);
    expect(Object.fromEntries(values)).toEqual({ a: 'slow', b: 'quick' });
    expect(begun).toHaveLength(1);
    expect(begun[0]).toBeLessThan(20);
    await loading;
  });
});

describe('invalidation across instances', () => {
  type Invalidate = (cache: Cache<string>) => Promise<boolean>;
  const invalidations: [string, Invalidate][] = [
    ['invalidate', (cache) => cache.invalidate('k')],
    ['set', (cache) => cache.set('k', 'v2', { tags: ['t'] })],
    ['invalidateTags', (cache) => cache.invalidateTags(['t'])],
    ['clear', (cache) => cache.clear()],
  ];
  for (const [name, invalidate] of invalidations) {
    it(`layered-loader, FusionCache #625: ${name} on one instance refuses the result of a load in flight on another`, async () => {
      const { caches, clock } = fleet<string>(3);
      const [first, second, third] = caches as [Cache<string>, Cache<string>, Cache<string>];
      const source = new Source(clock, 'v1', 100);
      const tagged: typeof source.load = async (context) => {
        const value = await source.load(context);
        context.addTags(['t']);
        return value;
      };
      const before = first.getOrLoad('k', tagged);
      await clock.advance(20);
      source.value = 'v2';
      expect(await clock.runUntil(invalidate(second))).toBe(true);
      expect(await clock.runUntil(before)).toBe('v1');
      await clock.advance(20);
      for (const cache of [first, second, third]) {
        expect(await clock.runUntil(cache.getOrLoad('k', tagged))).toBe('v2');
      }
      expect(first.stats().fenced).toBe(1);
    });

    it(`${name}: other instances drop the entry within the lag, and load only when it is read (FusionCache #611, #442)`, async () => {
      const { caches, clock, links } = fleet<string>(10);
      const source = new Source(clock, 'v1');
      for (const cache of caches) await clock.runUntil(cache.getOrLoad('k', source.load, { tags: ['t'] }));
      await clock.advance(10);
      source.value = 'v2';
      for (const { operations } of links) operations.length = 0;
      await clock.runUntil(invalidate(caches[0] as Cache<string>));
      await clock.advance(10);
      expect(links.slice(1).flatMap(({ operations }) => operations)).toEqual([]);
      for (const cache of caches.slice(1)) expect(cache.peek('k')).toBeUndefined();
      for (const cache of caches) {
        expect(await clock.runUntil(cache.getOrLoad('k', source.load, { tags: ['t'] }))).toBe('v2');
      }
      expect(source.loads).toBe(name === 'set' ? 1 : 2);
    });
  }

  it('open-metadata #28902: a late result of the tier does not replace a value that was set meanwhile', async () => {
    const { caches, clock } = fleet<string>(2, {}, { latencyMs: 50, lagMs: 1 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1'));
    const reading = second.getOrLoad('k', async () => 'loaded');
    const getting = second.get('k');
    await clock.advance(10);
    const setting = second.set('k', 'v2');
    expect(['v1', 'loaded']).toContain(await clock.runUntil(reading));
    await clock.runUntil(getting);
    await clock.runUntil(setting);
    expect(second.peek('k')).toBe('v2');
    await clock.advance(5);
    expect(await clock.runUntil(first.getOrLoad('k', async () => 'loaded'))).toBe('v2');
  });

  it('HybridCache #7771: a cold instance never returns a value whose tag was invalidated before', async () => {
    const { caches, clock } = fleet<string>(2);
    const [first, cold] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1', { tags: ['t'] }));
    await clock.runUntil(first.invalidateTags(['t']));
    const reads = Promise.all([cold.get('k'), cold.getOrLoad('k', async () => 'v2')]);
    expect(await clock.runUntil(reads)).toEqual([undefined, 'v2']);
  });

  it('FusionCache #319: works with clocks that are 15 minutes apart', async () => {
    const { caches, clock } = fleet<string>(2, { ttlMs: 60_000, staleIfErrorMs: 0 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1');
    await clock.runUntil(first.getOrLoad('k', source.load, { tags: ['t'] }));
    clock.jump(-15 * 60_000);
    await clock.advance(50_000);
    expect(await clock.runUntil(second.getOrLoad('k', source.load))).toBe('v1');
    expect(second.inspect('k')?.freshForMs).toBeLessThanOrEqual(10_000);
    clock.jump(30 * 60_000);
    await clock.runUntil(first.invalidateTags(['t']));
    await clock.advance(5);
    expect(await clock.runUntil(second.get('k'))).toBeUndefined();
  });

  it('cacheable #970, #1045: a value read from the tier 50 s into its 60 s lifetime expires at 60 s', async () => {
    const { caches, clock } = fleet<string>(2, { ttlMs: 60_000 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1'));
    await clock.advance(50_000);
    expect(await clock.runUntil(second.get('k'))).toBe('v1');
    await clock.advance(10_001);
    expect(second.peek('k')).toBeUndefined();
    expect(second.inspect('k')).toMatchObject({ state: 'staleIfError' });
  });

  it('a cached absence is shared, has its own lifetime, and is never served stale', async () => {
    const { caches, clock } = fleet<string | null>(2, { negativeTtlMs: 1_000 });
    const [first, second] = caches as [Cache<string | null>, Cache<string | null>];
    const source = new Source<string | null>(clock, null);
    await clock.runUntil(first.getOrLoad('k', source.load));
    expect(await clock.runUntil(second.getOrLoad('k', source.load))).toBeNull();
    await clock.advance(1_001);
    source.error = new Error('down');
    await expect(clock.runUntil(second.getOrLoad('k', source.load))).rejects.toMatchObject({
      code: 'MAC_CACHE_LOADER',
    });
    expect(source.loads).toBe(2);
  });

  it('expire: makes the value stale everywhere; one instance reloads it, and all serve it stale if that fails', async () => {
    const { caches, clock } = fleet<string>(3);
    const [first, second, cold] = caches as [Cache<string>, Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1');
    await clock.runUntil(first.getOrLoad('k', source.load));
    await clock.runUntil(second.getOrLoad('k', source.load));
    await clock.runUntil(first.expire('k'));
    await clock.advance(5);
    source.error = new Error('down');
    for (const cache of [first, second, cold]) {
      expect(cache.peek('k')).toBeUndefined();
      expect(await clock.runUntil(cache.getOrLoad('k', source.load))).toBe('v1');
    }
    source.error = undefined;
    source.value = 'v2';
    await clock.advance(40_000);
    expect(await clock.runUntil(cold.getOrLoad('k', source.load))).toBe('v2');
    await clock.advance(1_000);
    expect(await clock.runUntil(first.getOrLoad('k', source.load))).toBe('v2');
  });

  it('expireTags: a cold instance may serve the value stale while it is reloaded, but not as fresh', async () => {
    const { caches, clock } = fleet<string>(2);
    const [first, cold] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1');
    await clock.runUntil(first.getOrLoad('k', source.load, { tags: ['t'] }));
    await clock.runUntil(first.expireTags(['t']));
    expect(await clock.runUntil(cold.get('k'))).toBeUndefined();
    source.error = new Error('down');
    expect(await clock.runUntil(cold.getOrLoad('k', source.load))).toBe('v1');
  });

  it('bentocache #71, FusionCache #648: after invalidateTags or clear no instance serves the value, even when loading fails', async () => {
    for (const end of [
      (cache: Cache<string>) => cache.invalidateTags(['t']),
      (cache: Cache<string>) => cache.clear(),
    ]) {
      const { caches, clock } = fleet<string>(3);
      const [first, second, cold] = caches as [Cache<string>, Cache<string>, Cache<string>];
      const source = new Source(clock, 'v1');
      await clock.runUntil(first.getOrLoad('k', source.load, { tags: ['t'] }));
      await clock.runUntil(second.getOrLoad('k', source.load, { tags: ['t'] }));
      await clock.runUntil(end(first));
      await clock.advance(5);
      source.error = new Error('down');
      for (const cache of [first, second, cold]) {
        await expect(clock.runUntil(cache.getOrLoad('k', source.load))).rejects.toMatchObject({
          code: 'MAC_CACHE_LOADER',
        });
      }
    }
  });

  it('fresh: true takes the lease from an older load, whose result is then refused', async () => {
    const { caches, clock } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const source = new Source(clock, 'v1', 100);
    const older = first.getOrLoad('k', source.load);
    await clock.advance(10);
    source.value = 'v2';
    expect(await clock.runUntil(second.getOrLoad('k', source.load, { fresh: true }))).toBe('v2');
    await clock.runUntil(older);
    await clock.advance(20);
    expect(await clock.runUntil(first.getOrLoad('k', source.load))).toBe('v2');
    expect(source.loads).toBe(2);
  });

  it('lru-cache docs: fresh: true does not join an earlier read that may be served from the tier', async () => {
    const { caches, clock } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1'));
    await clock.advance(10);
    const source = new Source(clock, 'v2');
    const reads = [second.getOrLoad('k', source.load), second.getOrLoad('k', source.load, { fresh: true })];
    expect(await clock.runUntil(Promise.all(reads))).toEqual(['v1', 'v2']);
    expect(second.peek('k')).toBe('v2');
  });

  it('fresh: true joins a load that is certain but has not called its loader yet', async () => {
    const { caches, clock } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    const source = new Source(clock, 'v1');
    const reads = [1, 2].map(() => cache.getOrLoad('k', source.load, { fresh: true }));
    await clock.runUntil(Promise.all(reads));
    expect(source.loads).toBe(1);
  });

  it('early refresh: one instance reloads shortly before expiry, and the others adopt its value', async () => {
    const { caches, clock } = fleet<string>(3, { ttlMs: 10_000, earlyRefresh: true });
    const source = new Source(clock, 'v1', 100);
    for (const cache of caches) await clock.runUntil(cache.getOrLoad('k', source.load));
    source.value = 'v2';
    let waited = 0;
    for (let i = 0; i < 110; i++) {
      for (const cache of caches) {
        const start = clock.monotonic();
        await clock.runUntil(cache.getOrLoad('k', source.load));
        waited = Math.max(waited, clock.monotonic() - start);
      }
      await clock.advance(100);
    }
    // No longer than a lookup in the tier.
    expect(waited).toBeLessThanOrEqual(1);
    expect(source.loads).toBe(2);
    for (const cache of caches) expect(cache.peek('k')).toBe('v2');
  });

  it('a conditional refresh gets the stale value of the tier', async () => {
    const { caches, clock } = fleet<{ etag: string }>(2, { ttlMs: 1_000 });
    const [first, cold] = caches as [Cache<{ etag: string }>, Cache<{ etag: string }>];
    await clock.runUntil(first.set('k', { etag: '"1"' }));
    await clock.advance(1_500);
    const seen: unknown[] = [];
    const value = await clock.runUntil(
      cold.getOrLoad('k', ({ stale }) => {
        seen.push(stale?.value.etag, stale?.ageMs);
        return stale?.value as { etag: string };
      }),
    );
    expect(value).toEqual({ etag: '"1"' });
    expect(seen[0]).toBe('"1"');
    expect(seen[1]).toBeGreaterThanOrEqual(1_500);
    expect(cold.inspect('k')).toMatchObject({ state: 'fresh' });
  });

  it('a loader that returns undefined removes the value from the tier', async () => {
    const { caches, clock } = fleet<string>(2, { ttlMs: 1_000 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1'));
    await clock.advance(1_500);
    expect(await clock.runUntil(second.getOrLoad<string | undefined>('k', async () => undefined))).toBeUndefined();
    await clock.advance(10);
    const fails = first.getOrLoad('k', () => Promise.reject(new Error('down')));
    await expect(clock.runUntil(fails)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
  });

  it('FusionCache #627: a late mark of a lost epoch does not undo newer marks', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const [, link] = links as [Link, Link];
    await clock.runUntil(first.set('k', 'v1', { tags: ['t'] }));
    await clock.runUntil(second.get('k'));
    await clock.runUntil(first.invalidateTags(['t']));
    await clock.advance(10);
    const lost = { tag: 'lost', how: 'invalidated', position: 1 } as const;
    link.tell({ kind: 'marks', marks: { epoch: 'lost', position: 1, floor: 0, marks: [lost] } });
    await clock.runUntil(first.invalidateTags(['other']));
    await clock.advance(10);
    expect(await clock.runUntil(second.get('k'))).toBeUndefined();
    // Other entries are not reloaded again either.
    await clock.runUntil(first.set('fresh', 'v2'));
    await clock.advance(10);
    link.tell({ kind: 'marks', marks: { epoch: 'lost', position: 1, floor: 0, marks: [lost] } });
    expect(await clock.runUntil(second.get('fresh'))).toBe('v2');
  });
});

describe('an instance that receives no changes of others', () => {
  const down = (): Promise<never> => Promise.reject(new Error('down'));

  it('FusionCache #648, coherence none: serves a value that others invalidated for at most 30 s, even when loading fails', async () => {
    const { caches, clock, links } = fleet<string>(2, { coherence: 'none', staleWhileRevalidateMs: 600_000 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.set('k', 'v1'));
    expect(await clock.runUntil(second.get('k'))).toBe('v1');
    await clock.runUntil(first.invalidate('k'));
    await clock.advance(30_000);
    const [, link] = links as [Link, Link];
    for (const state of ['up', 'down'] as const) {
      link.state = state;
      const read = second.getOrLoad('k', down);
      await expect(clock.runUntil(read)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    }
  });

  it('disconnected: does not serve a value that the tier has lost, even when loading fails', async () => {
    const { caches, clock, links } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    for (const cache of caches) await clock.runUntil(cache.getOrLoad('k', () => 'v1', { tags: ['t'] }));
    const [, link] = links as [Link, Link];
    link.connected = false;
    link.tell({ kind: 'disconnected' });
    await clock.runUntil(first.invalidateTags(['t']));
    await clock.advance(6_000);
    await expect(clock.runUntil(second.getOrLoad('k', down))).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    expect(second.inspect('k')).toBeUndefined();
  });

  it('disconnected and without the tier: serves values in memory as stale', async () => {
    const { caches, clock, links } = fleet<string>(1);
    const [cache] = caches as [Cache<string>];
    await clock.runUntil(cache.set('k', 'v1'));
    const [link] = links as [Link];
    [link.connected, link.state] = [false, 'down'];
    link.tell({ kind: 'disconnected' });
    await clock.advance(6_000);
    expect(await clock.runUntil(cache.getOrLoad('k', down))).toBe('v1');
  });

  it('on the first connection, drops every value of before: invalidations since then are unknown', async () => {
    const { caches, clock, links } = fleet<string>(2, {}, { latencyMs: 1, connected: false });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const [, link] = links as [Link, Link];
    await clock.runUntil(first.set('k', 'v1'));
    expect(await clock.runUntil(second.get('k'))).toBe('v1');
    await clock.runUntil(first.invalidate('k'));
    const source = new Source(clock, 'v1', 100);
    // Loaded without a lease, since the tier is down: only a received change could reveal an invalidation.
    link.state = 'down';
    const alone = second.getOrLoad('other', source.load);
    await clock.advance(10);
    link.connected = true;
    link.state = 'up';
    link.tell({ kind: 'connected' });
    expect(second.peek('k')).toBeUndefined();
    await expect(clock.runUntil(second.getOrLoad('k', down))).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    expect(await clock.runUntil(alone)).toBe('v1');
    expect(second.peek('other')).toBeUndefined();
    await clock.runUntil(second.getOrLoad('k', () => 'v2'));
    link.tell({ kind: 'disconnected' });
    link.tell({ kind: 'connected' });
    expect(second.peek('k'), 'what was missed later is caught up with').toBe('v2');
  });

  it('on the first connection, lookups in flight are not stored either', async () => {
    for (const read of [
      (cache: Cache<string>) => cache.get('k'),
      (cache: Cache<string>) => cache.getMany(['k']),
      (cache: Cache<string>) => cache.getOrLoad('k', () => 'v2'),
      (cache: Cache<string>) => cache.getOrLoadMany(['k'], () => ({ k: 'v2' })),
    ]) {
      // Takes 100 ms to check what comes out of the tier.
      const validate = (value: unknown): Promise<{ value: string }> =>
        instances.clock.sleep(100).then(() => ({ value: value as string }));
      const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
      const instances = fleet<string>(2, { schema }, { latencyMs: 1, connected: false });
      const { caches, clock, links } = instances;
      const [first, second] = caches as [Cache<string>, Cache<string>];
      const [, link] = links as [Link, Link];
      await clock.runUntil(first.set('k', 'v1'));
      const reading = read(second);
      await clock.advance(50);
      expect(await clock.runUntil(first.invalidate('k'))).toBe(true);
      link.connected = true;
      link.tell({ kind: 'connected' });
      await clock.runUntil<unknown>(reading);
      expect(second.peek('k')).toBeUndefined();
      expect(await clock.runUntil(second.getOrLoad('k', () => 'v3'))).toBe('v3');
    }
  });
});
