import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { circuitBreaker, circuitBreakers, consecutiveFailures, standardPipeline } from './index.ts';

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });

beforeAll(() => void metrics.setGlobalMeterProvider(provider));
afterAll(async () => {
  metrics.disable();
  await provider.shutdown();
});

/** Every point of the last export: `metric{name,outcome}` to value. */
async function collect(): Promise<Map<string, number>> {
  exporter.reset();
  await reader.forceFlush();
  const points = new Map<string, number>();
  for (const { scopeMetrics } of exporter.getMetrics()) {
    for (const metric of scopeMetrics.flatMap((scope) => scope.metrics)) {
      for (const { attributes, value } of metric.dataPoints) {
        const labels = [attributes['macadam.policy.name'], attributes['macadam.outcome']].filter(
          (one) => one !== undefined,
        );
        points.set(`${metric.descriptor.name}{${labels.join()}}`, value as number);
      }
    }
  }
  return points;
}

test('a collector reads what the policies have counted', async () => {
  const clock = virtualClock();
  const orders = standardPipeline({
    name: 'orders-db',
    clock,
    timeoutMs: 2_000,
    attemptTimeoutMs: 500,
    random: () => 0,
  });
  await orders.execute(() => 'row');
  let tries = 0;
  await clock.runUntil(orders.execute(() => (++tries < 2 ? Promise.reject(new Error('reset')) : 'row')));
  const breaker = circuitBreaker({ name: 'search', clock, trip: [consecutiveFailures({ count: 1 })] });
  await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {});
  await breaker.execute(() => 'hit').catch(() => {});

  const points = await collect();
  expect(points.get('macadam.retry.calls{orders-db}')).toBe(2);
  expect(points.get('macadam.retry.retries{orders-db}')).toBe(1);
  expect(points.get('macadam.circuit_breaker.calls{orders-db,success}')).toBe(2);
  expect(points.get('macadam.circuit_breaker.state{orders-db}')).toBe(0);
  expect(points.get('macadam.circuit_breaker.state{search}')).toBe(2);
  expect(points.get('macadam.circuit_breaker.calls{search,rejected}')).toBe(1);
  expect(points.get('macadam.bulkhead.in_flight{orders-db}')).toBe(0);
});

test('policies of one name are added up, and the worst of their states is told', async () => {
  const clock = virtualClock();
  const [first, second] = ['a', 'b'].map(() => circuitBreaker({ name: 'twin', clock }));
  await first?.execute(() => 1);
  await second?.execute(() => 1);
  second?.isolate();
  const points = await collect();
  expect(points.get('macadam.circuit_breaker.calls{twin,success}')).toBe(2);
  expect(points.get('macadam.circuit_breaker.state{twin}')).toBe(3);
});

test('a million names make no more series than the cap', async () => {
  const breakers = circuitBreakers({ clock: virtualClock(), maxKeys: 5_000 });
  for (let i = 0; i < 5_000; i++) breakers.for(`host-${i}`);
  const points = await collect();
  const states = [...points.keys()].filter((key) => key.startsWith('macadam.circuit_breaker.state'));
  expect(states.length).toBeLessThanOrEqual(1_001);
  expect(states).toContain('macadam.circuit_breaker.state{_other}');
});
