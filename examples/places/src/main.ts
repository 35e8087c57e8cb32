// The whole run: the bad day with plain fetch and then with Macadam, from the same callers; the outage again with a cache; and
// a rush without and with admission control. Prints the comparison and exits with 0 if Macadam passed.
//
//   node src/main.ts [--seed 13] [--rate 80] [--scale 1] [--patience 10000]
import { parseArgs } from 'node:util';
import { stopChildren } from './child-processes.ts';
import { runLoad, type Run } from './load.ts';
import { parseNumber } from './parse-number.ts';
import { createProgressLine } from './progress.ts';
import { comparisonReport, verdict } from './report.ts';
import { rushReport } from './report-rush.ts';
import { scenarioSteps, type ScenarioName } from './scenario.ts';
import { crowd, everybody, type Group } from './traffic.ts';
import type { Variant } from './variants.ts';
import { outageReport } from './report-outage.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '13' },
    rate: { type: 'string', default: '80' },
    scale: { type: 'string', default: '1' },
    patience: { type: 'string', default: '10000' },
  },
});
const seed = parseNumber('--seed', values.seed, {});
const rate = parseNumber('--rate', values.rate, { above: 0, max: 10_000 });
const scale = parseNumber('--scale', values.scale, { min: 0.1, max: 100 });
const patienceMs = parseNumber('--patience', values.patience, { min: 1, max: 600_000 });
const progress = createProgressLine();

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => void stop(code));
}
process.stdout.on('error', () => void stop(1)); // such as EPIPE after `| head`

/** All runs, in order. */
const plan = [
  ['fetch', 'day', everybody(rate)],
  ['macadam', 'day', everybody(rate)],
  ['cached', 'outage', everybody(rate)],
  ['unprotected', 'rush', crowd],
  ['protected', 'rush', crowd],
] as const satisfies readonly (readonly [Variant, ScenarioName, readonly Group[]])[];

// Stops a run that hangs: it may take as long as all scenarios, with 30 s to start and the patience of callers for each.
const scenarios = plan.map(([, name]) => scenarioSteps(name, scale));
const limitMs = scenarios.flat().reduce((sum, step) => sum + step.durationMs, plan.length * (patienceMs + 30_000));
setTimeout(() => void fail(new Error(`not done after ${limitMs / 1_000} s`)), limitMs).unref();

main().catch(fail);

async function main(): Promise<void> {
  const runs: Run[] = [];
  for (const [variant, name, groups] of plan) runs.push(await run(variant, name, groups));
  const [plain, macadam, cached, unprotected, protectedRun] = runs as [Run, Run, Run, Run, Run];
  const parts = [
    comparisonReport(plain, macadam),
    outageReport(macadam, cached),
    rushReport(unprotected, protectedRun),
  ];
  const passed = parts.every((part) => part.passed);
  console.log(['', ...parts.map(({ text }) => text), verdict(passed, runs)].join('\n\n'));
  console.log('Places by GeoNames (https://www.geonames.org), CC BY 4.0.');
  await stop(passed ? 0 : 1);
}

async function run(variant: Variant, name: ScenarioName, groups: readonly Group[]): Promise<Run> {
  const options = { variant, scenario: scenarioSteps(name, scale), groups, seed, patienceMs };
  const result = await runLoad({ ...options, onProgress: progress.update });
  progress.end();
  return result;
}

let isStopping = false;

async function fail(error: Error): Promise<void> {
  // While the run stops, the exit of a child is expected.
  if (isStopping) return;
  progress.end();
  console.error(`The run failed: ${error.message}`);
  await stop(1);
}

async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  progress.end();
  await stopChildren();
  process.exit(code);
}
