// Runs count.ts in an environment in which its counts are reproducible, and sends its commands to Valgrind, which is
// fast outside of Valgrind.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Counts } from './count.ts';

/** The lines that count.ts writes: a command for Valgrind, which is acknowledged with a line, or the counts, at the end. */
export type CountMessage = { valgrind: string[] } | { counts: Counts };
type RunCommand = (valgrind: readonly string[]) => Promise<string>;

const run = promisify(execFile);
const COUNT = join(import.meta.dirname, 'count.ts');
/** One thread and no randomness, so that the optimizer does the same in every run. */
const REPEATABLE = ['--no-warnings', '--single-threaded', '--predictable', '--hash-seed=1', '--random-seed=1'];
/**
 * No collection of garbage while a path is counted. Every round allocates the same, so with a small young generation
 * collections could fall into the same path in every round, and into which one depended on the length of the file names.
 */
const NO_COLLECTION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];
const NODE = [process.execPath, ...REPEATABLE, ...NO_COLLECTION, COUNT];
const TIMEOUT_MS = 600_000;

export async function countBytes(): Promise<Counts> {
  return await count([...NODE, 'bytes'], async () => '');
}

/** Undefined without Valgrind. */
export async function countInstructions(): Promise<Counts | undefined> {
  const valgrind = process.env['VALGRIND'] ?? 'valgrind';
  const isInstalled = await run(valgrind, ['--version']).then(
    () => true,
    () => false,
  );
  if (!isInstalled) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'macadam-budgets-'));
  const out = join(folder, 'out');
  const tool = ['--tool=callgrind', '--instr-atstart=no', `--callgrind-out-file=${out}`, `--vgdb-prefix=${out}`];
  let dumps = 0;
  try {
    return await count([valgrind, ...tool, '--quiet', ...NODE, 'instructions'], async (command) => {
      await run(process.env['VGDB'] ?? 'vgdb', [`--vgdb-prefix=${out}`, ...command]);
      return command[0] === 'dump' ? await totalOf(`${out}.${++dumps}`) : '';
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function count([program = '', ...args]: readonly string[], runCommand: RunCommand): Promise<Counts> {
  const child = spawn(program, args, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(`ended with ${code ?? signal}`));
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  let counts: Counts | undefined;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const message = JSON.parse(line) as CountMessage;
      if ('counts' in message) counts = message.counts;
      else child.stdin.write(`${await runCommand(message.valgrind)}\n`);
    }
  } finally {
    if (counts === undefined) child.kill('SIGKILL');
  }
  const how = await ended;
  if (counts === undefined) throw new Error(`${program} ${how} before it had counted: ${errors.trim()}`);
  return counts;
}

async function totalOf(file: string): Promise<string> {
  const total = /^summary: (\d+)/m.exec(await readFile(file, 'utf8'))?.[1] ?? '';
  await rm(file);
  return total;
}
