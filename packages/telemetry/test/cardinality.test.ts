/**
 * T24: whatever comes from users (ids, keys, paths, methods, tenants, error codes) through every package, an instrument
 * keeps a bounded number of series. The ids go through the real operation of each package, several times as many as an
 * instrument may have series: what an id could turn into one by is the same for the thousandth as for the millionth.
 */
import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { createApiKey, createHmacJwtVerifier, verifyApiKey } from '@macadam/auth';
import { createCache } from '@macadam/cache';
import { runWork } from '@macadam/core';
import { createHttpClient } from '@macadam/http';
import { createLoadShedder, createRateLimiter, createShaper, tokenBucket } from '@macadam/ratelimit';
import { circuitBreakers, consecutiveFailures, standardPipeline } from '@macadam/resilience';
import { startFaultServer } from '@macadam/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger, withCanonicalLine } from '../src/index.ts';
import { startTelemetry, type Telemetry } from '../src/node.ts';

/** What one name of an object may be split into by outcomes and the like. */
const MOST_OF_A_NAME = 40;
/** Names there may be, and one for the rest. */
const MAX_SERIES = 1_001;
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
let telemetry: Telemetry;
const kept: object[] = [];

beforeAll(() => {
  // Without a limit of the SDK, so that the limits of the packages themselves are tested.
  telemetry = startTelemetry({
    serviceName: 'x',
    env: {},
    metrics: { exporter, maxSeries: 100_000 },
    runtimeMetrics: false,
  });
});
afterAll(() => telemetry.shutdown());

/** Series by instrument, of those whose name begins so. */
async function series(prefix: string): Promise<Map<string, number>> {
  exporter.reset();
  await telemetry.flush();
  const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return new Map(
    found
      .filter(({ descriptor }) => descriptor.name.startsWith(prefix))
      .map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.length]),
  );
}

async function expectFew(prefix: string, most: number = MOST_OF_A_NAME): Promise<void> {
  const counts = await series(prefix);
  expect(counts.size).toBeGreaterThan(0);
  for (const [name, count] of counts) expect(count, name).toBeLessThanOrEqual(most);
}

it('T24: limits the series of a cache with a million keys', async () => {
  const cache = createCache<number>({ name: 'users', l1: { maxEntries: 1_000 } });
  kept.push(cache);
  for (let i = 0; i < 1_000_000; i++) cache.peek(`user-${i}`);
  for (let i = 0; i < 20_000; i++) await cache.getOrLoad(`user-${i}`, () => i, { tags: [`org:${i}`] });
  await expectFew('macadam.cache.');
});

it('T24: limits the series of a rate limiter with many keys, and of shapers and load shedders with many tenants', async () => {
  const limiter = createRateLimiter({ name: 'api', limits: [tokenBucket({ limit: 10, periodMs: 1_000 })] });
  const shaper = createShaper({ name: 'mails', ratePerSecond: 1_000_000, maxQueued: 10 });
  const shedder = createLoadShedder({ name: 'server' });
  kept.push(limiter, shaper, shedder);
  for (let i = 0; i < 200_000; i++) limiter.tryTake(`user-${i}`);
  for (let i = 0; i < 2_000; i++) {
    await shaper.run(() => i);
    await shedder.run(() => i, { tenant: `tenant-${i}` });
  }
  await expectFew('macadam.ratelimit.');
  await expectFew('macadam.sh');
});

it('T24: limits the series of thirty thousand policies with names from requests', async () => {
  const breakers = circuitBreakers({ maxKeys: 5_000, trip: [consecutiveFailures({ count: 1 })] });
  kept.push(breakers);
  for (let i = 0; i < 30_000; i++) breakers.for(`host-${i}`);
  for (let i = 29_500; i < 30_000; i++) {
    await breakers
      .for(`host-${i}`)
      .execute(() => Promise.reject(new Error(`user-${i}`)))
      .catch(() => {});
  }
  for (let i = 0; i < 1_500; i++) {
    kept.push(standardPipeline({ name: `user-${i}`, timeoutMs: 2_000, attemptTimeoutMs: 500 }));
  }
  // The calls of a circuit breaker have four outcomes.
  await expectFew('macadam.', 4 * MAX_SERIES);
  expect((await series('macadam.circuit_breaker.state')).get('macadam.circuit_breaker.state')).toBe(MAX_SERIES);
});

it('T24: limits the series of an HTTP client with many paths, queries, parameters and methods; an unknown method is _OTHER', async () => {
  const upstream = await startFaultServer({});
  const client = createHttpClient({ name: 'billing', baseUrl: upstream.url });
  kept.push(client);
  for (let i = 0; i < 5 * MOST_OF_A_NAME; i++) {
    await client.get('/users/{id}', {
      params: { id: `user-${i}` },
      query: { q: `q-${i}` },
      headers: { 'x-user': `u-${i}` },
    });
    await client.get(`/raw/user-${i}`, { throwOnStatus: false });
    await client.request(`M${i}`, '/', { idempotent: true, throwOnStatus: false });
  }
  await expectFew('macadam.http.');
  await expectFew('http.client.');
  const durations = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    .find(({ descriptor }) => descriptor.name === 'http.client.request.duration');
  const methods = new Set(durations!.dataPoints.map(({ attributes }) => attributes['http.request.method']));
  expect(methods).toEqual(new Set(['GET', '_OTHER']));
  await client.close();
  await upstream.close();
});

it('T24: limits the series of auth with many subjects, keys and tokens', async () => {
  const secret = new Uint8Array(32).fill(7);
  const verifier = createHmacJwtVerifier({
    issuer: 'https://issuer',
    audience: 'api',
    algorithm: 'HS256',
    secrets: [{ secret }],
  });
  kept.push(verifier);
  const { key, hash } = createApiKey({ environment: 'test' });
  for (let i = 0; i < 5_000; i++) {
    await verifier.verify(`not-a-token-${i}`).catch(() => {});
    await verifyApiKey(key, (id) => (id === `user-${i}` ? { hash } : undefined)).catch(() => {});
  }
  await expectFew('macadam.auth.');
});

it('T24: limits the series of logs and spans with many names and fields', async () => {
  const log = createLogger({ destination: { write: () => {} } });
  for (let i = 0; i < 20_000; i++) {
    withCanonicalLine(log, { name: `GET /users/${i}`, tenant: `t-${i}`, attributes: { [`field-${i}`]: i } }, () => i);
    runWork({ tenant: `t-${i}` }, () => log.info({ [`user-${i}`]: i }, `user ${i}`));
  }
  await expectFew('macadam.log.', 1);
});

it('T24: limits the series of your own attributes to the maxSeries of startTelemetry', async () => {
  const capped = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  await telemetry.shutdown();
  const own = startTelemetry({ serviceName: 'x', env: {}, metrics: { exporter: capped }, runtimeMetrics: false });
  const logins = metrics.getMeter('x').createCounter('logins');
  for (let i = 0; i < 1_000_000; i++) logins.add(1, { user: `u${i}` });
  await own.flush();
  const all = capped.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const points = all.find(({ descriptor }) => descriptor.name === 'logins')!.dataPoints;
  expect(points.length).toBeLessThanOrEqual(2_000);
  expect(points.reduce((sum, { value }) => sum + (value as number), 0)).toBe(1_000_000);
  await own.shutdown();
});
