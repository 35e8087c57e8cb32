import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, describe, expect, it } from 'vitest';
import { createCache } from './create-cache.ts';

describe('metrics', () => {
  afterEach(() => metrics.disable());

  it('are the statistics, by name and outcome; caches that share a name are added up', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);
    const caches = [createCache<number>({ name: 'numbers' }), createCache<number>({ name: 'numbers' })];
    for (const cache of caches) {
      for (let i = 0; i < 3; i++) await cache.getOrLoad('a', () => 1);
      await cache.invalidate('a');
    }
    await provider.forceFlush();
    const points = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      .flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => [descriptor.name, attributes['macadam.outcome'], value]),
      );
    expect(points).toContainEqual(['macadam.cache.reads', 'hit', 4]);
    expect(points).toContainEqual(['macadam.cache.reads', 'miss', 2]);
    expect(points).toContainEqual(['macadam.cache.loads', undefined, 2]);
    expect(points).toContainEqual(['macadam.cache.invalidations', undefined, 2]);
    expect(points).toContainEqual(['macadam.cache.entries', undefined, 0]);
    await provider.shutdown();
  });
});
