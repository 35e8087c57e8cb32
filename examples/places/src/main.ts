// The whole run: the same callers through the same bad day, with the service first on plain fetch, then on Macadam.
//
//   node src/main.ts [--seed 13] [--rate 80] [--scale 1] [--patience 10000]
import { parseArgs } from 'node:util';
import { endChildren } from './children.ts';
import { runLoad, type Run, type Variant } from './load.ts';
import { createProgressLine, report } from './report.ts';
import { scriptOf } from './script.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '13' },
    rate: { type: 'string', default: '80' },
    scale: { type: 'string', default: '1' },
    patience: { type: 'string', default: '10000' },
  },
});
const script = scriptOf(Number(values.scale));
const patienceMs = Number(values.patience);
const progress = createProgressLine();

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => void stop(code));
}
process.stdout.on('error', () => void stop(1)); // `| head` has read enough
// Whatever goes wrong, the run ends: no longer than both scripts, both patiences and a start-up each may take.
const limitMs = 2 * (script.reduce((sum, step) => sum + step.durationMs, 0) + patienceMs + 30_000);
setTimeout(() => void fail(new Error(`still not done after ${limitMs / 1_000} s`)), limitMs).unref();

main().catch(fail);

async function main(): Promise<void> {
  const plain = await run('fetch');
  const macadam = await run('macadam');
  const { text, passed } = report(plain, macadam);
  console.log(`\n${text}\n`);
  console.log(
    passed ? 'Macadam won or tied every row and kept every promise.' : 'Macadam LOST a row or broke a promise.',
  );
  console.log('Places by GeoNames (https://www.geonames.org), CC BY 4.0.');
  await stop(passed ? 0 : 1);
}

async function run(variant: Variant): Promise<Run> {
  const [seed, perSecond] = [Number(values.seed), Number(values.rate)];
  const result = await runLoad({ variant, script, perSecond, seed, patienceMs, onProgress: progress.update });
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
