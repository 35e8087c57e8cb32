// `npm run bench -- budgets [--update]`: counts what every hot path takes, and fails when one takes more than it may.
// Bytes are counted on any machine. Instructions need Valgrind: VALGRIND names the program, else it is looked for on PATH.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { compare, least, updated, type Measured, type Recorded, type Verdict } from './compare.ts';
import type { Counts } from './count.ts';
import { kindOf, processorFlags } from './kind.ts';

const run = promisify(execFile);
const COUNT = join(import.meta.dirname, 'count.ts');
const FILE = join(import.meta.dirname, '..', 'budgets.json');
/** One thread and no dice: what the optimiser and the collector do is the same in every run. */
const REPEATABLE = ['--no-warnings', '--single-threaded', '--predictable', '--hash-seed=1', '--random-seed=1'];
const NO_COLLECTION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];
const TIMEOUT_MS = 600_000;

const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } });
const kind = kindOf(process.version, process.arch, processorFlags());
const recorded = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Recorded) : {};

async function count(command: readonly string[], what: keyof Measured, env: NodeJS.ProcessEnv): Promise<Counts> {
  const [program = '', ...args] = [...command, COUNT, what];
  const { stdout } = await run(program, args, { env: { ...process.env, ...env }, timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as Counts;
}

/** Undefined where there is no Valgrind. */
async function countInstructions(): Promise<Counts | undefined> {
  const valgrind = process.env['VALGRIND'] ?? 'valgrind';
  const there = await run(valgrind, ['--version']).then(
    () => true,
    () => false,
  );
  if (!there) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'macadam-budgets-'));
  const out = join(folder, 'out');
  const tool = ['--tool=callgrind', '--instr-atstart=no', `--callgrind-out-file=${out}`, `--vgdb-prefix=${out}`];
  try {
    const command = [valgrind, ...tool, '--quiet', process.execPath, ...REPEATABLE];
    return await count(command, 'instructions', { CALLGRIND_OUT: out });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(): Promise<Measured> {
  const [bytes, instructions] = await Promise.all([
    count([process.execPath, ...REPEATABLE, ...NO_COLLECTION], 'bytes', {}),
    countInstructions(),
  ]);
  return { bytes, ...(instructions !== undefined && { instructions }) };
}

let measured = await measure();
if (values.update) {
  // What comes once is not part of what an operation takes, and a budget is held for long: count twice.
  measured = least(measured, await measure());
  writeFileSync(FILE, `${JSON.stringify(updated(recorded, kind, measured), null, 2)}\n`);
}
const budgets = values.update ? updated(recorded, kind, measured)[kind] : recorded[kind];
// Where there is no budget at all there is nothing to fail.
const judge = (counted: Measured): Verdict => {
  const verdict = compare(budgets ?? {}, counted);
  return budgets === undefined ? { ...verdict, failures: [] } : verdict;
};
let { lines, failures } = judge(measured);
if (failures.length > 0) {
  console.log(`Counting again, in case it came of something that comes once: ${failures.join('; ')}`);
  measured = least(measured, await measure());
  ({ lines, failures } = judge(measured));
}
console.log(lines.join('\n'));
if (budgets === undefined) {
  console.log(
    `NOT COMPARED: no budget is of this kind of machine (${kind}). There are: ${Object.keys(recorded).join('; ')}.`,
  );
  console.log('`npm run bench -- budgets --update` records one, beside the others.');
} else if (measured.instructions === undefined) {
  console.log('NOT COMPARED: instructions, since there is no Valgrind here. Bytes were.');
}
for (const failure of failures) console.log(`OVER BUDGET: ${failure}`);
if (failures.length > 0)
  console.log('If it is worth it, run `npm run bench -- budgets --update` and say why in the commit.');
process.exitCode = failures.length === 0 ? 0 : 1;
