import { stat } from 'node:fs/promises';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLoadShedder, createRateLimiter, createShaper, tokenBucket } from './index.ts';

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });

beforeAll(() => void metrics.setGlobalMeterProvider(provider));
afterAll(async () => {
  metrics.disable();
  await provider.shutdown();
});

/** Every point of the last export: `metric{name,outcome}` to value. */
async function collect(): Promise<Record<string, number>> {
  exporter.reset();
  await reader.forceFlush();
  const points: Record<string, number> = {};
  for (const { scopeMetrics } of exporter.getMetrics()) {
    for (const { descriptor, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics)) {
      for (const { attributes, value } of dataPoints) {
        const labels = [attributes['macadam.policy.name'], attributes['macadam.outcome']].filter(Boolean);
        points[`${descriptor.name}{${labels.join()}}`] = value as number;
      }
    }
  }
  return points;
}

test('a collector reads what was decided, shaped and shed; those of one name are added up', async () => {
  const clock = virtualClock();
  const limits = [tokenBucket({ limit: 2, periodMs: 60_000 })];
  const kept = [1, 2].map(() => createRateLimiter({ name: 'api', limits, clock }));
  for (const limiter of kept) for (let i = 0; i < 3; i++) limiter.tryTake('a');
  const shaper = createShaper({ name: 'mails', ratePerSecond: 1, maxQueued: 0, clock });
  await shaper.run(() => 0);
  await shaper.run(() => 0).catch(() => {});
  const shedder = createLoadShedder({ name: 'server', clock });
  await shedder.run(() => 0);

  expect(await collect()).toMatchObject({
    'macadam.ratelimit.decisions{api,allowed}': 4,
    'macadam.ratelimit.decisions{api,denied}': 2,
    'macadam.ratelimit.decisions{api,shadowed}': 0,
    'macadam.ratelimit.keys{api}': 2,
    'macadam.shaper.begun{mails}': 1,
    'macadam.shaper.refused{mails}': 1,
    'macadam.shedder.served{server}': 1,
    'macadam.shedder.limit{server}': 20,
    'macadam.shedder.admitted_share{server}': 1,
  });
});

test('being counted keeps nothing alive', async () => {
  const name = 'short-lived';
  (() => createRateLimiter({ name, limits: [tokenBucket({ limit: 2, periodMs: 60_000 })] }).tryTake('a'))();
  // A turn of the event loop: until then, what a weak reference was made of is kept.
  await stat(import.meta.filename);
  globalThis.gc!();
  expect(Object.keys(await collect()).filter((one) => one.includes(name))).toEqual([]);
});
