// `npm run bench -- budgets [--update]`: counts what every hot path takes, and fails when one takes more than it may.
// Bytes are counted on any machine. Instructions need Valgrind: VALGRIND names the program, else it is looked for on PATH.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { compare, least, updated, type Budgets, type Measured } from './compare.ts';
import type { Counts } from './count.ts';

const run = promisify(execFile);
const COUNT = join(import.meta.dirname, 'count.ts');
const FILE = join(import.meta.dirname, '..', 'budgets.json');
/** One thread and no dice: what the optimiser and the collector do is the same in every run. */
const REPEATABLE = ['--no-warnings', '--single-threaded', '--predictable', '--hash-seed=1', '--random-seed=1'];
const NO_COLLECTION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];
const TIMEOUT_MS = 600_000;

const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } });
const machine = { node: process.version, arch: process.arch };
const budgets = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Budgets) : undefined;

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
if (values.update) writeFileSync(FILE, `${JSON.stringify(updated(budgets, measured, machine), null, 2)}\n`);

const current = JSON.parse(readFileSync(FILE, 'utf8')) as Budgets;
const comparable = current.arch === machine.arch && current.node === machine.node;
let { lines, failures } = compare(current, comparable ? measured : {});
if (failures.length > 0) {
  console.log('A path is over its budget: counting again, in case that came of something that comes once.');
  measured = least(measured, await measure());
  ({ lines, failures } = compare(current, measured));
}
console.log(lines.join('\n'));
if (!comparable) console.log(`Not compared: the budgets are of Node ${current.node} on ${current.arch}.`);
else if (measured.instructions === undefined) console.log('Instructions were not counted: there is no Valgrind here.');
for (const failure of failures) console.log(`OVER BUDGET: ${failure}`);
if (failures.length > 0)
  console.log('If it is worth it, run `npm run bench -- budgets --update` and say why in the commit.');
process.exitCode = failures.length === 0 ? 0 : 1;
