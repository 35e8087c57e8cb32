import { startMetricsCollector } from '@macadam/test-support/metrics-collector';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCache } from './create-cache.ts';

describe('metrics', () => {
  it('equal the statistics, by name and outcome, summed over caches that share a name', async () => {
    const collector = startMetricsCollector();
    onTestFinished(() => collector.close());
    const caches = [createCache<number>({ name: 'numbers' }), createCache<number>({ name: 'numbers' })];
    for (const cache of caches) {
      for (let i = 0; i < 3; i++) await cache.getOrLoad('a', () => 1);
      await cache.invalidate('a');
    }
    expect(await collector.collect()).toMatchObject({
      'macadam.cache.reads{numbers,hit}': 4,
      'macadam.cache.reads{numbers,miss}': 2,
      'macadam.cache.loads{numbers}': 2,
      'macadam.cache.invalidations{numbers}': 2,
      'macadam.cache.entries{numbers}': 0,
    });
  });
});
