import { currentWork, runWork } from '@macadam/core';
import { startMetricsCollector } from '@macadam/test-support/metrics-collector';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Cache } from '@macadam/cache';
import { fleet, type Link } from './fleet.ts';

describe('telemetry of the shared tier', () => {
  it('counts reads per tier, and records durations of operations and loads', async () => {
    const collector = startMetricsCollector();
    onTestFinished(() => collector.close());
    const { caches, clock, links } = fleet<string>(2);
    const [first, second] = caches as [Cache<string>, Cache<string>];
    const load = async (): Promise<string> => {
      await clock.sleep(40);
      return 'v';
    };
    await clock.runUntil(first.getOrLoad('k', load));
    await clock.runUntil(second.getOrLoad('k', load));
    (links[0] as Link).state = 'down';
    await clock.runUntil(first.invalidate('k'));
    expect(await collector.collect()).toMatchObject({
      'macadam.cache.l2.reads{fleet,hit}': 1,
      'macadam.cache.l2.reads{fleet,miss}': 1,
      'macadam.cache.l2.fills{fleet}': 1,
      'macadam.cache.l2.errors{fleet,failed}': 1,
      'macadam.cache.unsettled{fleet}': 1,
      'macadam.cache.load.duration{fleet,ok}': 1,
      'macadam.cache.l2.duration{fleet,failed}': 1,
    });
  });

  it('annotates the unit of work with reads that waited, by what they waited for, and not with hits', async () => {
    const { caches, clock } = fleet<string>(2);
    const [cache, other] = caches as [Cache<string>, Cache<string>];
    const work = runWork({}, async () => {
      for (let i = 0; i < 3; i++) {
        await cache.getOrLoad('k', async () => {
          await clock.sleep(40);
          return 'v';
        });
      }
      await clock.sleep(10);
      await other.getOrLoad('k', async () => 'never asked');
      return currentWork()?.annotations;
    });
    const { cacheMs, ...counts } = (await clock.runUntil(work)) as Record<string, number>;
    expect(counts).toEqual({ cacheWaits: 2, cacheLoads: 1, cacheL2Hits: 1 });
    expect(cacheMs).toBeGreaterThanOrEqual(40);
    expect(cacheMs).toBeLessThan(50);
  });
});
