import { describe, expect, it } from 'vitest';
import { regressions } from './baseline.ts';
import { baselineOf, reportFiles } from './report.ts';
import { committedBaseline, committedNames, readCommitted, regressionsOfOurs } from './report-folder.ts';
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
    'our figures are not worse than the committed ones: %s',
    async (_title, scenario) => {
      const outcome = await outcomeOf(scenario);
      const before = { [scenario.id]: committedBaseline()[scenario.id] ?? {} };
      expect(regressionsOfOurs(before, baselineOf([outcome])), 'figures of ours that became worse').toEqual([]);
    },
    120_000,
  );

  it('equals the output of the code', async () => {
    const all: ScenarioOutcome[] = [];
    for (const scenario of scenarios) all.push(await outcomeOf(scenario));
    const files = reportFiles(all);
    expect(committedNames(), AGAIN).toEqual([...files.keys()].sort());
    for (const [name, text] of files) expect(readCommitted(name) === text, `${name}: ${AGAIN}`).toBe(true);
  }, 240_000);
});

describe('a figure is reported as worse', () => {
  const before = {
    ...{ success: 0.9, successDuring: 0.5, successAfter: 1, amplification: 1.2, recoveryMs: 5_000 },
    ...{ p50Ms: 10, p99Ms: 20, p999Ms: 30, longestWaitMs: 40, wasted: 0, fairness: 1 },
  };
  it.each([
    { change: {}, expected: [] },
    { change: { success: 0.896 }, expected: [] },
    { change: { success: 0.894 }, expected: ['success fell from 0.9 to 0.894'] },
    { change: { successDuring: 0.4 }, expected: ['successDuring fell from 0.5 to 0.4'] },
    { change: { successAfter: 0.9 }, expected: ['successAfter fell from 1 to 0.9'] },
    { change: { amplification: 1.23 }, expected: ['amplification rose from 1.2 to 1.23'] },
    { change: { recoveryMs: 5_500 }, expected: [] },
    { change: { recoveryMs: 5_600 }, expected: ['recoveryMs rose from 5000 to 5600'] },
    { change: { recoveryMs: null }, expected: ['recoveryMs rose from 5000 to Infinity'] },
    { change: { success: 1, amplification: 1, recoveryMs: 0 }, expected: [] },
  ])('when $change: $expected', ({ change, expected }) => {
    expect(regressions(before, { ...before, ...change })).toEqual(expected);
  });

  it('when it is missing', () => {
    expect(regressionsOfOurs({ outage: { macadam: before } }, {})).toEqual([
      'outage, Macadam, defaults: not simulated',
    ]);
  });
});
