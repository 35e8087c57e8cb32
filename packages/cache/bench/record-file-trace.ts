// Records the file lookups of programs: node --conditions=@macadam/source packages/cache/bench/record-file-trace.ts
// Needs strace. Several tools work on this workspace, two at a time, as on the machine of a developer or in CI. Every
// path that one of their processes opens, stats or misses is one lookup, in the order in which the kernel saw them.
// Paths are replaced by numbers, so that the trace reveals nothing about the machine, and written to `traces/files.br`:
// a line of JSON, then one number per line.
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FILE_TRACE, writeTrace } from './trace.ts';

const workspace = join(import.meta.dirname, '..', '..', '..');

/** The lists run one after the other, the commands of a list at the same time. */
const WORK: readonly (readonly string[])[] = [
  ['git status --short', 'git log --stat -20'],
  ['tsc --noEmit -p packages/core/tsconfig.json', 'eslint packages/core/src'],
  ['vitest run --project core', 'tsc --noEmit -p packages/resilience/tsconfig.json'],
  ['prettier --check packages/cache/src packages/http/src', 'eslint packages/cache/src'],
  ['tsc --noEmit -p packages/cache/tsconfig.json', 'git grep -n createCache'],
  ['vitest run --project testkit packages/testkit/src', 'eslint packages/testkit/src'],
];

const folder = mkdtempSync(join(tmpdir(), 'file-trace-'));
const log = join(folder, 'calls.txt');
const script = WORK.map((side) => `${side.map((command) => `${command} > /dev/null 2>&1 &`).join(' ')} wait`).join(
  '\n',
);
const env = { ...process.env, PATH: `${join(workspace, 'node_modules', '.bin')}:${process.env['PATH']}` };
const flags = ['-f', '-qq', '--seccomp-bpf', '-e', 'trace=%file', '-s', '4096', '-o', log];
execFileSync('strace', [...flags, 'sh', '-c', script], { cwd: workspace, env, stdio: 'inherit' });

const numbers = new Map<string, number>();
const trace: number[] = [];
for await (const line of createInterface({ input: createReadStream(log) })) {
  // strace splits an interrupted call into two lines, of which the first contains the path.
  const path = /^\d+ +\w+\([^"]*"((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  if (path === undefined) continue;
  const number = numbers.get(path) ?? numbers.size;
  numbers.set(path, number);
  trace.push(number);
}
rmSync(folder, { recursive: true });
const about = {
  recorded: new Date().toISOString().slice(0, 10),
  work: WORK,
  lookUps: trace.length,
  keys: numbers.size,
};
const bytes = writeTrace(FILE_TRACE, about, trace);
console.log(`${trace.length} lookups of ${numbers.size} paths in ${bytes} bytes`);
