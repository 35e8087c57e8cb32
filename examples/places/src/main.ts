// The whole run: the same callers through the same bad day, with the service first on plain fetch, then on Macadam; then
// the outage of that day with a cache, and a rush with an open door and with a guarded one.
//
//   node src/main.ts [--seed 13] [--rate 80] [--scale 1] [--patience 10000]
import { parseArgs } from 'node:util';
import { endChildren } from './children.ts';
import { runLoad, type Run } from './load.ts';
import { numberOf } from './numbers.ts';
import { createProgressLine } from './progress.ts';
import { report, verdict } from './report.ts';
import { rush } from './rush.ts';
import { scriptOf, type ScriptName } from './script.ts';
import { crowd, everybody, type Group } from './traffic.ts';
import type { Variant } from './variants.ts';
import { warmOutage } from './warm-outage.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '13' },
    rate: { type: 'string', default: '80' },
    scale: { type: 'string', default: '1' },
    patience: { type: 'string', default: '10000' },
  },
});
const seed = numberOf('--seed', values.seed, {});
const rate = numberOf('--rate', values.rate, { above: 0, max: 10_000 });
const scale = numberOf('--scale', values.scale, { min: 0.1, max: 100 });
const patienceMs = numberOf('--patience', values.patience, { min: 1, max: 600_000 });
const progress = createProgressLine();

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => void stop(code));
}
process.stdout.on('error', () => void stop(1)); // `| head` has read enough

/** Every run, in order. */
const plan = [
  ['fetch', 'day', everybody(rate)],
  ['macadam', 'day', everybody(rate)],
  ['cached', 'outage', everybody(rate)],
  ['open', 'rush', crowd],
  ['guarded', 'rush', crowd],
] as const satisfies readonly (readonly [Variant, ScriptName, readonly Group[]])[];

// Whatever goes wrong, the run ends: no longer than every script, with its patience and a start-up, may take.
const scripts = plan.map(([, name]) => scriptOf(name, scale));
const limitMs = scripts.flat().reduce((sum, step) => sum + step.durationMs, plan.length * (patienceMs + 30_000));
setTimeout(() => void fail(new Error(`still not done after ${limitMs / 1_000} s`)), limitMs).unref();

main().catch(fail);

async function main(): Promise<void> {
  const runs: Run[] = [];
  for (const [variant, name, groups] of plan) runs.push(await run(variant, name, groups));
  const [plain, macadam, cached, open, guarded] = runs as [Run, Run, Run, Run, Run];
  const parts = [report(plain, macadam), warmOutage(macadam, cached), rush(open, guarded)];
  const passed = parts.every((part) => part.passed);
  console.log(['', ...parts.map(({ text }) => text), verdict(passed, runs)].join('\n\n'));
  console.log('Places by GeoNames (https://www.geonames.org), CC BY 4.0.');
  await stop(passed ? 0 : 1);
}

async function run(variant: Variant, name: ScriptName, groups: readonly Group[]): Promise<Run> {
  const options = { variant, script: scriptOf(name, scale), groups, seed, patienceMs };
  const result = await runLoad({ ...options, onProgress: progress.update });
  progress.end();
  return result;
}

let stopping = false;

async function fail(error: Error): Promise<void> {
  // A child that a signal has just ended is not news.
  if (stopping) return;
  progress.end();
  console.error(`The run failed: ${error.message}`);
  await stop(1);
}

async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  progress.end();
  await endChildren();
  process.exit(code);
}
