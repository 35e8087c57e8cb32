// Measures the hit ratio of the memory tier: node --conditions=@macadam/source packages/cache/bench/hit-ratio.ts [FILE]
// FILE contains one key per line, in the order of the reads. Without it, a recorded trace and two sequences derived
// from files of this workspace are used, and the page of the documentation is written.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Eviction } from '@macadam/cache';
import { FILE_TRACE, hitRatio, readTrace } from './trace.ts';

const workspace = join(import.meta.dirname, '..', '..', '..');
const require = createRequire(join(workspace, 'package.json'));
const PAGE = join(workspace, 'docs', 'benchmarks', 'cache-hit-ratio.md');
const SHARES = [0.003, 0.01, 0.03, 0.1, 0.3];
const EVICTIONS: Eviction[] = ['lru', 's3-fifo'];

interface Trace {
  readonly name: string;
  readonly what: string;
  readonly keys: readonly string[];
}

/** The file lookups of several programs. */
function processes(): Trace {
  const { about, keys } = readTrace(FILE_TRACE);
  const ran = about.work.flat().map((command) => `\`${command}\``);
  const what = [
    `Every path that several programs opened, checked or missed in the file system, in order, recorded with \`strace\` on ${about.recorded}.`,
    'The recording is stored with the workspace, as numbers instead of paths, so it is the same every time;',
    '`packages/cache/bench/record-file-trace.ts` records another one. The programs were',
    `${ran.join(', ')}.`,
  ];
  return { name: 'processes', what: what.join('\n'), keys };
}

/** The file lookups of the compiler and the linter, one package after the other. */
function files(): Trace {
  const folder = mkdtempSync(join(tmpdir(), 'lookups-'));
  const env = { ...process.env, LOOKUPS: join(folder, 'paths.txt') };
  const recorded = (program: string, ...words: string[]): void => {
    const flags = ['--require', join(import.meta.dirname, 'record-lookups.cjs'), program, ...words];
    spawnSync(process.execPath, flags, { cwd: workspace, env, stdio: 'ignore' });
  };
  const compiler = require.resolve('typescript/bin/tsc');
  const linter = join(require.resolve('eslint/package.json'), '..', 'bin', 'eslint.js');
  const packages = ['core', 'resilience', 'http', 'cache', 'ratelimit'];
  for (const name of packages) recorded(compiler, '--noEmit', '-p', `packages/${name}/tsconfig.json`);
  for (const name of packages) recorded(linter, `packages/${name}/src`);
  const keys = linesOf(env.LOOKUPS);
  rmSync(folder, { recursive: true });
  const what = `The paths that TypeScript and ESLint look up while they check ${packages.length} packages of this workspace, one after the other.`;
  return { name: 'files', what, keys };
}

/** The identifiers in the source of a large program, in order. */
function names(): Trace {
  const text = readFileSync(require.resolve('typescript'), 'utf8');
  const { version } = require('typescript/package.json') as { version: string };
  const keys = text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? [];
  return {
    name: 'names',
    what: `The identifiers in the source of the TypeScript compiler (${version}), in order.`,
    keys,
  };
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

async function section({ name, what, keys }: Trace): Promise<string[]> {
  const distinct = new Set(keys).size;
  const lines = [
    `## ${name}`,
    '',
    `${what} ${keys.length.toLocaleString('en')} lookups of ${distinct.toLocaleString('en')} keys.`,
    '',
    '| entries | of all keys | LRU | S3-FIFO | misses, S3-FIFO to LRU |',
    '| ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const share of SHARES) {
    const maxEntries = Math.max(1, Math.round(distinct * share));
    const [lru = 0, s3Fifo = 0] = await Promise.all(EVICTIONS.map((eviction) => hitRatio(keys, maxEntries, eviction)));
    const change = (1 - s3Fifo) / (1 - lru) - 1;
    const misses = `${change < 0 ? '−' : '+'}${percent(Math.abs(change))}`;
    lines.push(
      `| ${maxEntries.toLocaleString('en')} | ${percent(share)} | ${percent(lru)} | ${percent(s3Fifo)} | ${misses} |`,
    );
  }
  return lines;
}

const [file] = process.argv.slice(2);
if (file !== undefined) {
  console.log((await section({ name: basename(file), what: 'One key a line.', keys: linesOf(file) })).join('\n'));
} else {
  const lines = [
    '# Hit ratios of the cache',
    '',
    '<!-- Written by packages/cache/bench/hit-ratio.ts. Do not edit. -->',
    '',
    'The share of reads that a memory finds which is too small for all keys, with each value of `l1.eviction`. The first sequence',
    'is a recorded trace of real programs; the others are derived from files that every copy of this workspace has:',
    '`node --conditions=@macadam/source packages/cache/bench/hit-ratio.ts`. None is from a production cache: give the script a file with one',
    'key per line, in the order of the reads, to measure your own traffic.',
  ];
  for (const trace of [processes(), files(), names()]) lines.push('', ...(await section(trace)));
  writeFileSync(PAGE, `${lines.join('\n')}\n`);
  console.log(lines.join('\n'));
}
