import { describe, expect, it } from 'vitest';
import { worsened } from './baseline.ts';
import { baselineOf, reportFiles } from './report.ts';
import { committedBaseline, committedNames, complaints, readCommitted } from './report-folder.ts';
import { runScenario, scenarios, type ScenarioOutcome } from './run-scenarios.ts';
import type { Scenario } from './scenario.ts';

const AGAIN = 'the committed report is stale: run `npm run simulation` and commit docs/simulation';

describe('the simulation report', () => {
  const outcomes = new Map<Scenario, ScenarioOutcome>();
  const outcomeOf = async (scenario: Scenario): Promise<ScenarioOutcome> => {
    const outcome = outcomes.get(scenario) ?? (await runScenario(scenario));
    outcomes.set(scenario, outcome);
    return outcome;
  };

  it.each(scenarios.map((scenario) => [scenario.title, scenario] as const))(
    'holds what it says of: %s',
    async (_title, scenario) => {
      const outcome = await outcomeOf(scenario);
      const before = { [scenario.id]: committedBaseline()[scenario.id] ?? {} };
      expect(complaints(before, baselineOf([outcome])), 'numbers of ours that became worse').toEqual([]);
    },
    120_000,
  );

  it('equals what the code computes', async () => {
    const all: ScenarioOutcome[] = [];
    for (const scenario of scenarios) all.push(await outcomeOf(scenario));
    const files = reportFiles(all);
    expect(committedNames(), AGAIN).toEqual([...files.keys()].sort());
    for (const [name, text] of files) expect(readCommitted(name) === text, `${name}: ${AGAIN}`).toBe(true);
  }, 240_000);
});

describe('a number counts as worse', () => {
  const before = {
    ...{ success: 0.9, successDuring: 0.5, successAfter: 1, amplification: 1.2, recoveryMs: 5_000 },
    ...{ p50Ms: 10, p99Ms: 20, p999Ms: 30, longestWaitMs: 40, wasted: 0, fairness: 1 },
  };
  it.each([
    { change: {}, complaints: [] },
    { change: { success: 0.896 }, complaints: [] },
    { change: { success: 0.894 }, complaints: ['success fell from 0.9 to 0.894'] },
    { change: { successDuring: 0.4 }, complaints: ['successDuring fell from 0.5 to 0.4'] },
    { change: { successAfter: 0.9 }, complaints: ['successAfter fell from 1 to 0.9'] },
    { change: { amplification: 1.23 }, complaints: ['amplification rose from 1.2 to 1.23'] },
    { change: { recoveryMs: 5_500 }, complaints: [] },
    { change: { recoveryMs: 5_600 }, complaints: ['recoveryMs rose from 5000 to 5600'] },
    { change: { recoveryMs: null }, complaints: ['recoveryMs rose from 5000 to Infinity'] },
    { change: { success: 1, amplification: 1, recoveryMs: 0 }, complaints: [] },
  ])('when $change: $complaints', ({ change, complaints: expected }) => {
    expect(worsened(before, { ...before, ...change })).toEqual(expected);
  });

  it('when it is missing', () => {
    expect(complaints({ outage: { macadam: before } }, {})).toEqual(['outage, Macadam, defaults: no longer simulated']);
  });
});
