import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LoadTable } from './load-table.ts';

/** The place in question is the second. */
const AT = 1;

function table(): LoadTable {
  const load = new LoadTable();
  load.add(false);
  load.add(false);
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

test('one that has never failed is no suspect, unless it is said to be one from the first', () => {
  const load = table();
  load.add(true);
  load.succeeded(AT, 10, 0);
  expect([load.isSuspect(AT), load.isSuspect(2)]).toEqual([false, true]);
  load.failed(AT, 10, 0);
  load.succeeded(AT, 10, 0);
  expect([load.isSuspect(0), load.isSuspect(AT)]).toEqual([false, true]);
});

test('where calls wait and nothing is heard, one more may take as long as any', () => {
  const load = table();
  expect(load.expectedMs(AT, 0)).toBe(0);
  load.began(AT);
  expect(load.expectedMs(AT, 0)).toBe(30_000);
  load.succeeded(AT, 10, 1_000);
  expect(load.expectedMs(AT, 1_000)).toBe(10);
  expect(load.expectedMs(AT, 30_999)).toBeLessThan(1);
  expect(load.expectedMs(AT, 31_000)).toBe(30_000);
  load.ended(AT);
  expect(load.expectedMs(AT, 31_000)).toBeLessThan(1);
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
});

test('an endpoint takes what is known of it along, and its neighbours keep theirs', () => {
  const load = table();
  load.began(AT);
  load.failed(AT, 500, 0);
  const next = new LoadTable();
  next.take(load, AT);
  next.add(false);
  expect([next.inFlight(0), next.isSuspect(0), next.latencyMs(0, 0)]).toEqual([1, true, 500]);
  next.ended(0);
  expect([next.inFlight(0), load.inFlight(AT), next.inFlight(1), load.inFlight(0)]).toEqual([0, 1, 0, 0]);
});

test('whatever happens, each endpoint has what happened to it and to no other, wherever it is moved to', () => {
  const event = fc.record({
    at: fc.nat({ max: 4 }),
    what: fc.constantFrom('began', 'ended', 'succeeded', 'failed'),
    ms: fc.nat({ max: 40_000 }),
    afterMs: fc.nat({ max: 20_000 }),
  });
  const move = fc.uniqueArray(fc.nat({ max: 4 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(fc.oneof(event, move), { maxLength: 60 }), (steps) => {
      let load = new LoadTable();
      let places = [0, 1, 2, 3, 4];
      for (let i = 0; i < 5; i++) load.add(false);
      const alone = places.map(() => new LoadTable());
      for (const one of alone) one.add(false);
      let now = 0;
      for (const step of steps) {
        if (Array.isArray(step)) {
          const next = new LoadTable();
          for (const i of step) next.take(load, places[i] as number);
          places = places.map((_, i) => step.indexOf(i));
          load = next;
          continue;
        }
        now += step.afterMs;
        const [own, place] = [alone[step.at] as LoadTable, places[step.at] as number];
        if (step.what === 'began' || step.what === 'ended') {
          own[step.what](0);
          load[step.what](place);
        } else {
          own[step.what](0, step.ms, now);
          load[step.what](place, step.ms, now);
        }
        for (const [i, one] of alone.entries()) {
          const at = places[i] as number;
          expect([load.inFlight(at), load.isSuspect(at), load.latencyMs(at, now), load.expectedMs(at, now)]).toEqual([
            one.inFlight(0),
            one.isSuspect(0),
            one.latencyMs(0, now),
            one.expectedMs(0, now),
          ]);
        }
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});
