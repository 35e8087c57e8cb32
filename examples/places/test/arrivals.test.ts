import { seededRandom } from '@macadam/testkit';
import { expect, test } from 'vitest';
import { planArrivals } from '../src/arrivals.ts';
import { phaseNames, scenarioSteps } from '../src/scenario.ts';
import { crowd, everybody } from '../src/traffic.ts';

const names = ['Ålesund', 'Bath', 'Cork'];

test('the same seed gives the same arrivals, another seed gives others', () => {
  const plan = (seed: number) => planArrivals(everybody(80), scenarioSteps('day'), names, seededRandom(seed));
  expect(plan(7)).toEqual(plan(7));
  expect(plan(8)).not.toEqual(plan(7));
});

test('callers arrive in order and at their rate in every phase, and not after the end', () => {
  const scenario = scenarioSteps('day', 10);
  const totalMs = scenario.reduce((sum, step) => sum + step.durationMs, 0);
  const arrivals = planArrivals(everybody(80), scenario, names, seededRandom(7));
  const times = arrivals.map(({ atMs }) => atMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times.at(-1)).toBeLessThan(totalMs);
  // 20 000 expected; five standard deviations of a Poisson count are 700.
  expect(Math.abs(arrivals.length - (80 * totalMs) / 1_000)).toBeLessThan(700);
  expect([...new Set(arrivals.map(({ phase }) => phase))]).toEqual([...phaseNames]);
  expect(new Set(arrivals.map(({ name }) => name))).toEqual(new Set(names));
});

test('gaps between arrivals are distributed exponentially', () => {
  const arrivals = planArrivals(everybody(80), scenarioSteps('day', 10), names, seededRandom(7));
  const gaps = arrivals.slice(1).map(({ atMs }, i) => atMs - arrivals[i]!.atMs);
  const shorterThanMean = gaps.filter((gap) => gap < 1_000 / 80).length / gaps.length;
  expect(shorterThanMean).toBeCloseTo(1 - 1 / Math.E, 1);
});

test('a scaled scenario keeps its steps', () => {
  expect(scenarioSteps('day', 0.5).map(({ durationMs }) => durationMs * 2)).toEqual(
    scenarioSteps('day').map((step) => step.durationMs),
  );
});

test('a group arrives at its rate of each phase, with its API keys and its priority', () => {
  const scenario = scenarioSteps('rush', 10);
  const arrivals = planArrivals(crowd, scenario, names, seededRandom(7));
  expect(arrivals).toEqual(arrivals.toSorted((a, b) => a.atMs - b.atMs));
  const reports = arrivals.filter(({ group }) => group === 'reports');
  const inSpike = reports.filter(({ phase }) => phase === 'spike');
  // 24 000 and 2 000 expected; five standard deviations are 775 and 224.
  expect(Math.abs(inSpike.length - 24_000)).toBeLessThan(775);
  expect(Math.abs(reports.length - inSpike.length - 2_000)).toBeLessThan(224);
  expect(new Set(reports.map(({ headers }) => headers['x-api-key'])).size).toBe(24);
  expect(new Set(reports.map(({ headers }) => headers['x-request-priority']))).toEqual(new Set(['background']));
});
