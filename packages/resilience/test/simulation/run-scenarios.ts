import { simulate, type SimulationResult } from '@macadam/testkit';
import { contenders, type Contender } from './contenders.ts';
import { outageScenarios } from './outage-scenarios.ts';
import { overloadScenarios } from './overload-scenarios.ts';
import type { Scenario } from './scenario.ts';

export const scenarios: readonly Scenario[] = [...outageScenarios, ...overloadScenarios];

/** The results of one scenario under each contender. */
export interface ScenarioOutcome {
  readonly scenario: Scenario;
  readonly results: readonly { readonly contender: Contender; readonly result: SimulationResult }[];
}

/** Runs the contenders sequentially: in virtual time, concurrency saves nothing. */
export async function runScenario(scenario: Scenario): Promise<ScenarioOutcome> {
  const results: { contender: Contender; result: SimulationResult }[] = [];
  for (const contender of contenders) {
    results.push({ contender, result: await simulate({ ...scenario.simulation, policy: contender.policy }) });
  }
  return { scenario, results };
}
