import { stat } from 'node:fs/promises';
import { startMetricsCollector, type MetricsCollector } from '@macadam/test-support/metrics-collector';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLoadShedder, createRateLimiter, createShaper, tokenBucket } from './index.ts';

let collector: MetricsCollector;
beforeAll(() => void (collector = startMetricsCollector()));
afterAll(() => collector.close());

test('a metrics collector reads the counts of limiters, shapers and shedders, summed up by name', async () => {
  const clock = virtualClock();
  const limits = [tokenBucket({ limit: 2, periodMs: 60_000 })];
  const kept = [1, 2].map(() => createRateLimiter({ name: 'api', limits, clock }));
  for (const limiter of kept) for (let i = 0; i < 3; i++) limiter.tryTake('a');
  const shaper = createShaper({ name: 'mails', ratePerSecond: 1, maxQueued: 0, clock });
  await shaper.run(() => 0);
  await shaper.run(() => 0).catch(() => {});
  const shedder = createLoadShedder({ name: 'server', clock });
  await shedder.run(() => 0);

  expect(await collector.collect()).toMatchObject({
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

test('metrics do not keep a limiter alive', async () => {
  const name = 'short-lived';
  (() => createRateLimiter({ name, limits: [tokenBucket({ limit: 2, periodMs: 60_000 })] }).tryTake('a'))();
  // A turn of the event loop: until then, what a weak reference was made of is kept.
  await stat(import.meta.filename);
  globalThis.gc!();
  expect(Object.keys(await collector.collect()).filter((one) => one.includes(name))).toEqual([]);
});
