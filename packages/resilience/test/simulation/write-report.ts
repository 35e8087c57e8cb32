// Writes docs/simulation: `npm run simulation`. Fails if a number of ours became worse, unless that is accepted:
// `npm run simulation -- --accept-worse`.
import { baselineOf, reportFiles } from './report.ts';
import { committedBaseline, complaints, folder, writeReport } from './report-folder.ts';
import { runScenario, scenarios, type ScenarioOutcome } from './run-scenarios.ts';

const outcomes: ScenarioOutcome[] = [];
for (const scenario of scenarios) {
  console.log(scenario.title);
  outcomes.push(await runScenario(scenario));
}
const worse = complaints(committedBaseline(), baselineOf(outcomes));
for (const complaint of worse) console.log(`worse: ${complaint}`);
if (worse.length > 0 && !process.argv.includes('--accept-worse')) {
  console.error('Nothing was written. Mend it, or say why it is right and run again with --accept-worse.');
  process.exitCode = 1;
} else {
  const files = reportFiles(outcomes);
  writeReport(files);
  console.log(`${files.size} files in ${folder}`);
}
