// Writes docs/simulation: `npm run simulation`. Fails if a figure of ours became worse, unless that is accepted:
// `npm run simulation -- --accept-worse`.
import { baselineOf, reportFiles } from './report.ts';
import { committedBaseline, folder, regressionsOfOurs, writeReport } from './report-folder.ts';
import { runScenario, scenarios, type ScenarioOutcome } from './run-scenarios.ts';

const outcomes: ScenarioOutcome[] = [];
for (const scenario of scenarios) {
  console.log(scenario.title);
  outcomes.push(await runScenario(scenario));
}
const worse = regressionsOfOurs(committedBaseline(), baselineOf(outcomes));
for (const message of worse) console.log(`worse: ${message}`);
if (worse.length > 0 && !process.argv.includes('--accept-worse')) {
  console.error(
    'Nothing was written. Fix the regression, or run again with --accept-worse and give the reason in the commit.',
  );
  process.exitCode = 1;
} else {
  const files = reportFiles(outcomes);
  writeReport(files);
  console.log(`${files.size} files in ${folder}`);
}
