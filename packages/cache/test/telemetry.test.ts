import { currentWork, runWork } from '@macadam/core';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cache } from '@macadam/cache';
import { fleet, type Link } from './fleet.ts';

describe('telemetry of the shared tier', () => {
  afterEach(() => metrics.disable());

  it('counts reads by tier, and times operations and loads', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);
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
    await provider.forceFlush();
    const points = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      .flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => {
          const figure = typeof value === 'number' ? value : (value as { count: number }).count;
          return `${descriptor.name} ${String(attributes['macadam.outcome'])} ${figure}`;
        }),
      );
    expect(points).toContain('macadam.cache.l2.reads hit 1');
    expect(points).toContain('macadam.cache.l2.reads miss 1');
    expect(points).toContain('macadam.cache.l2.fills undefined 1');
    expect(points).toContain('macadam.cache.l2.errors failed 1');
    expect(points).toContain('macadam.cache.unsettled undefined 1');
    expect(points).toContain('macadam.cache.load.duration ok 1');
    expect(points).toContain('macadam.cache.l2.duration failed 1');
    await provider.shutdown();
  });

  it('a read that waits is part of the story of its work, by what it waited for; a hit is not', async () => {
    const { caches, clock } = fleet<string>(2);
    const [cache, other] = caches as [Cache<string>, Cache<string>];
    const story = runWork({}, async () => {
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
    const { cacheMs, ...counts } = (await clock.runUntil(story)) as Record<string, number>;
    expect(counts).toEqual({ cacheWaits: 2, cacheLoads: 1, cacheL2Hits: 1 });
    expect(cacheMs).toBeGreaterThanOrEqual(40);
    expect(cacheMs).toBeLessThan(50);
  });
});
