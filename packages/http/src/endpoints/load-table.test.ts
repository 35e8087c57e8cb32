import { expect, test } from 'vitest';
import { LoadTable } from './load-table.ts';

/** The place in question is the second. */
const AT = 1;

function table(): LoadTable {
  const load = new LoadTable();
  load.add();
  load.add();
  return load;
}

test('a latency jumps to a peak, and comes down slowly', () => {
  const load = table();
  expect(load.latencyMs(AT, 0)).toBe(0);
  load.succeeded(AT, 10, 1_000);
  load.succeeded(AT, 100, 1_000);
  expect(load.latencyMs(AT, 1_000)).toBe(100);
  load.succeeded(AT, 10, 1_001);
  expect(load.latencyMs(AT, 1_001)).toBeGreaterThan(99);
  load.succeeded(AT, 10, 11_001);
  expect(load.latencyMs(AT, 11_001)).toBeCloseTo(100 * Math.exp(-1) + 10 * (1 - Math.exp(-1)), 0);
  expect(load.latencyMs(AT, 1_000_000)).toBeLessThan(0.001);
});

test('failing fast looks slow', () => {
  const load = table();
  load.succeeded(AT, 10, 0);
  load.failed(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(100);
  load.failed(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(400);
  for (let i = 0; i < 20; i++) load.failed(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(30_000);
  expect(load.failures(AT)).toBe(22);
});

test('an endpoint takes what is known of it along, and its neighbours keep theirs', () => {
  const load = table();
  load.began(AT);
  load.failed(AT, 500, 0);
  const next = new LoadTable();
  next.add(load, AT);
  next.add();
  expect([next.inFlight(0), next.failures(0), next.latencyMs(0, 0)]).toEqual([1, 1, 500]);
  next.ended(0);
  expect([next.inFlight(0), load.inFlight(AT), next.inFlight(1), load.inFlight(0)]).toEqual([0, 1, 0, 0]);
});
