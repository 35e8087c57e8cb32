import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LoadTable } from './load-table.ts';

/** The index of the endpoint under test: the second, so that a mix-up with the first shows. */
const AT = 1;

function table(): LoadTable {
  const load = new LoadTable();
  load.add(false);
  load.add(false);
  return load;
}

test('the latency jumps to a peak and decays slowly', () => {
  const load = table();
  expect(load.latencyMs(AT, 0)).toBe(0);
  load.recordLatency(AT, 10, 1_000);
  load.recordLatency(AT, 100, 1_000);
  expect(load.latencyMs(AT, 1_000)).toBe(100);
  load.recordLatency(AT, 10, 1_001);
  expect(load.latencyMs(AT, 1_001)).toBeGreaterThan(99);
  load.recordLatency(AT, 10, 11_001);
  expect(load.latencyMs(AT, 11_001)).toBeCloseTo(100 * Math.exp(-1) + 10 * (1 - Math.exp(-1)), 0);
  expect(load.latencyMs(AT, 1_000_000)).toBeLessThan(0.001);
});

test('an endpoint needs a check once it has failed, or from the start when it was added so', () => {
  const load = table();
  load.add(true);
  load.recordLatency(AT, 10, 0);
  expect([load.needsCheck(AT), load.needsCheck(2)]).toEqual([false, true]);
  load.recordFailure(AT, 10, 0);
  load.recordLatency(AT, 10, 0);
  expect([load.needsCheck(0), load.needsCheck(AT)]).toEqual([false, true]);
});

test('the expected latency is the maximum while attempts are in flight and none has ended for 30 s', () => {
  const load = table();
  expect(load.expectedMs(AT, 0)).toBe(0);
  load.recordStart(AT);
  expect(load.expectedMs(AT, 0)).toBe(30_000);
  load.recordLatency(AT, 10, 1_000);
  expect(load.expectedMs(AT, 1_000)).toBe(10);
  expect(load.expectedMs(AT, 30_999)).toBeLessThan(1);
  expect(load.expectedMs(AT, 31_000)).toBe(30_000);
  load.recordEnd(AT);
  expect(load.expectedMs(AT, 31_000)).toBeLessThan(1);
});

test('fast failures raise the latency, up to a maximum', () => {
  const load = table();
  load.recordLatency(AT, 10, 0);
  load.recordFailure(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(100);
  load.recordFailure(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(400);
  for (let i = 0; i < 20; i++) load.recordFailure(AT, 1, 0);
  expect(load.latencyMs(AT, 0)).toBe(30_000);
});

test('an endpoint keeps its numbers in another table, without changing its neighbours', () => {
  const load = table();
  load.recordStart(AT);
  load.recordFailure(AT, 500, 0);
  const next = new LoadTable();
  next.addFrom(load, AT);
  next.add(false);
  expect([next.inFlight(0), next.needsCheck(0), next.latencyMs(0, 0)]).toEqual([1, true, 500]);
  next.recordEnd(0);
  expect([next.inFlight(0), load.inFlight(AT), next.inFlight(1), load.inFlight(0)]).toEqual([0, 1, 0, 0]);
});

test('property: the numbers of each endpoint depend on its own events only, wherever it is moved', () => {
  const event = fc.record({
    at: fc.nat({ max: 4 }),
    what: fc.constantFrom('recordStart', 'recordEnd', 'recordLatency', 'recordFailure'),
    ms: fc.nat({ max: 40_000 }),
    afterMs: fc.nat({ max: 20_000 }),
  });
  const move = fc.uniqueArray(fc.nat({ max: 4 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(fc.oneof(event, move), { maxLength: 60 }), (steps) => {
      let load = new LoadTable();
      let positions = [0, 1, 2, 3, 4];
      for (let i = 0; i < 5; i++) load.add(false);
      const alone = positions.map(() => new LoadTable());
      for (const one of alone) one.add(false);
      let now = 0;
      for (const step of steps) {
        if (Array.isArray(step)) {
          const next = new LoadTable();
          for (const i of step) next.addFrom(load, positions[i] as number);
          positions = positions.map((_, i) => step.indexOf(i));
          load = next;
          continue;
        }
        now += step.afterMs;
        const [own, place] = [alone[step.at] as LoadTable, positions[step.at] as number];
        if (step.what === 'recordStart' || step.what === 'recordEnd') {
          own[step.what](0);
          load[step.what](place);
        } else {
          own[step.what](0, step.ms, now);
          load[step.what](place, step.ms, now);
        }
        for (const [i, one] of alone.entries()) {
          const at = positions[i] as number;
          expect([load.inFlight(at), load.needsCheck(at), load.latencyMs(at, now), load.expectedMs(at, now)]).toEqual([
            one.inFlight(0),
            one.needsCheck(0),
            one.latencyMs(0, now),
            one.expectedMs(0, now),
          ]);
        }
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});
