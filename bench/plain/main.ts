// `npm run bench -- plain [SUITE…] [--rounds 7] [--save]`: measures some ratios of the suites again, with plain loops
// that share no code with the harness.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { pinning, processor, quiet } from '../src/machine.ts';
import { committedResult, saveResult } from '../src/pages.ts';
import type { SuiteResult } from '../src/result.ts';
import { textTable } from '../src/table.ts';
import { comparisonOf, type PlainPair } from './comparison.ts';
import { plainRows, plainSummary, type PlainResult } from './page.ts';
import { pairs, type Pair } from './pairs.ts';

const run = promisify(execFile);
const bench = join(import.meta.dirname, '..');
const LOOP = join(import.meta.dirname, 'loop.ts');
const ROUNDS = 7;
const TIMEOUT_MS = 120_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, save: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds ?? ROUNDS);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds must be an integer of at least 1, not "${values.rounds}".`);
  process.exit(2);
}
const known = [...new Set(pairs.map(({ suite }) => suite))];
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`No pair of suite ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  process.exit(2);
}
if (values.save && (rounds < ROUNDS || positionals.length > 0)) {
  console.error(`--save needs all pairs and at least ${ROUNDS} rounds.`);
  process.exit(2);
}

/** Retries a failed process once: a run of minutes must not be lost because one process could not get its port. */
async function nanosecondsOf(suite: string, contender: string): Promise<number> {
  const [program = '', ...args] = [...(await pinning()), process.execPath, '--no-warnings', LOOP, suite, contender];
  const once = async (): Promise<number> =>
    Number((await run(program, args, { cwd: bench, timeout: TIMEOUT_MS })).stdout);
  return await once().catch(once);
}

async function measure(pair: Pair): Promise<PlainPair> {
  const [ofNs, toNs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    ofNs.push(Number((await nanosecondsOf(pair.suite, pair.of)).toPrecision(5)));
    toNs.push(Number((await nanosecondsOf(pair.suite, pair.to)).toPrecision(5)));
  }
  return { ...pair, ofNs, toNs };
}

const isQuiet = await quiet(60_000);
if (!isQuiet) console.log('The machine is busy: expect a wide spread.');
const suites = new Map<string, SuiteResult>();
for (const name of known) {
  const committed = committedResult(name);
  if (committed !== undefined) suites.set(name, committed);
}
const wanted = pairs.filter(({ suite }) => positionals.length === 0 || positionals.includes(suite));
const measured: PlainPair[] = [];
for (const pair of wanted) {
  try {
    const one = await measure(pair);
    measured.push(one);
    console.log(`\n${textTable(plainRows({ pairs: [one] }, suites))}`);
  } catch (error) {
    console.error(`\n${pair.of} vs ${pair.to} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(`\n${textTable(plainRows({ pairs: measured }, suites))}\n\n${plainSummary({ pairs: measured }, suites)}`);
const isWhole = measured.length === wanted.length;
if (values.save && isWhole) {
  saveResult('plain', {
    ...{ date: new Date().toISOString().slice(0, 10), node: process.version, cpu: processor(), quiet: isQuiet },
    ...{ rounds, pairs: measured },
  } satisfies PlainResult);
}
if (values.save && !isWhole) console.error('Nothing is saved: a page without the failed pairs would hide them.');
const differs = measured.some((pair) => comparisonOf(pair, suites).verdict === 'differs');
if (differs || !isWhole) process.exitCode = 1;
