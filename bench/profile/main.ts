// `npm run bench -- profile [NAME] [--seconds 3] [--out DIR]`: draws a flame graph of each hot path whose name contains
// NAME. With `--save`, those of all paths are written to the docs, with a page that shows where their time is spent.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { hotPaths } from '../budgets/hot-paths.ts';
import { pinning, processor } from '../src/machine.ts';
import { benchmarks, saveResult } from '../src/pages.ts';
import { flameGraph, type CpuProfile } from './flame-graph.ts';
import { flameFile, type ProfileResult } from './page.ts';
import { sharesOf, type PathShares } from './shares.ts';

const run = promisify(execFile);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    out: { type: 'string', default: join(tmpdir(), 'macadam-profiles') },
    save: { type: 'boolean', default: false },
  },
});
const [wanted = ''] = values.save ? [] : positionals;
const [seconds, out] = [Number(values.seconds), values.save ? benchmarks : values.out];
const chosen = hotPaths.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
if (chosen.length === 0) {
  console.error(
    `No hot path has "${wanted}" in its name. There are:\n${hotPaths.map(({ name }) => `  ${name}`).join('\n')}`,
  );
  process.exit(2);
}
mkdirSync(out, { recursive: true });

/** Each path in a fresh process, so that the state of the runtime after one path does not affect the next. */
async function record(name: string): Promise<CpuProfile> {
  const args = ['--no-warnings', join(import.meta.dirname, 'record.ts'), name, String(seconds)];
  const [program = '', ...rest] = [...(await pinning()), process.execPath, ...args];
  const { stdout } = await run(program, rest, { maxBuffer: 1_073_741_824, timeout: 60_000 + seconds * 1_000 });
  return JSON.parse(stdout) as CpuProfile;
}

const paths: PathShares[] = [];
for (const { name } of chosen) {
  const profile = await record(name);
  const file = join(out, flameFile(name));
  writeFileSync(file, flameGraph(profile, name));
  const shares = sharesOf(name, profile);
  paths.push(shares);
  console.log(`\n${name}: ${file}`);
  for (const { label, share } of [...shares.owners, ...shares.functions])
    console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${label}`);
}
if (values.save) {
  const [date, node, cpu] = [new Date().toISOString().slice(0, 10), process.version, processor()];
  saveResult('profile', { date, node, cpu, seconds, paths } satisfies ProfileResult);
}
