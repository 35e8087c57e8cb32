import { startMetricsCollector, type MetricsCollector } from '@macadam/test-support/metrics-collector';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { circuitBreaker, circuitBreakers, consecutiveFailures, standardPipeline } from './index.ts';

let collector: MetricsCollector;
beforeAll(() => void (collector = startMetricsCollector()));
afterAll(() => collector.close());

test('a metrics collector reads the counts of policies', async () => {
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

  const points = await collector.collect();
  expect(points['macadam.retry.calls{orders-db}']).toBe(2);
  expect(points['macadam.retry.retries{orders-db}']).toBe(1);
  expect(points['macadam.circuit_breaker.calls{orders-db,success}']).toBe(2);
  expect(points['macadam.circuit_breaker.state{orders-db}']).toBe(0);
  expect(points['macadam.circuit_breaker.state{search}']).toBe(2);
  expect(points['macadam.circuit_breaker.calls{search,rejected}']).toBe(1);
  expect(points['macadam.bulkhead.in_flight{orders-db}']).toBe(0);
});

test('sums up policies with one name, and reports the worst of their states', async () => {
  const clock = virtualClock();
  const [first, second] = ['a', 'b'].map(() => circuitBreaker({ name: 'twin', clock }));
  await first?.execute(() => 1);
  await second?.execute(() => 1);
  second?.isolate();
  const points = await collector.collect();
  expect(points['macadam.circuit_breaker.calls{twin,success}']).toBe(2);
  expect(points['macadam.circuit_breaker.state{twin}']).toBe(3);
});

test('a million names do not exceed the maximum number of series', async () => {
  const breakers = circuitBreakers({ clock: virtualClock(), maxKeys: 5_000 });
  for (let i = 0; i < 5_000; i++) breakers.for(`host-${i}`);
  const points = await collector.collect();
  const states = Object.keys(points).filter((key) => key.startsWith('macadam.circuit_breaker.state'));
  expect(states.length).toBeLessThanOrEqual(1_001);
  expect(states).toContain('macadam.circuit_breaker.state{_other}');
});
