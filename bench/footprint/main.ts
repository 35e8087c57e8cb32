// `npm run bench -- footprint [--save]`: measures the size of each package on disk and the time to import it.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { figureOf } from '../src/measurement.ts';
import { pinning, processor, quiet } from '../src/machine.ts';
import { saveResult } from '../src/pages.ts';
import { textTable } from '../src/table.ts';
import { installSize } from './install-size.ts';
import { footprintRows, type Footprint, type FootprintResult } from './page.ts';

const run = promisify(execFile);
const bench = join(import.meta.dirname, '..');
const IMPORT_TIME = join(import.meta.dirname, 'import-time.ts');
const ROUNDS = 9;

/** Packages by the job they do, ours first. */
const groups: Record<string, string[]> = {
  http: ['@macadam/http', 'undici', 'got', 'ky', 'axios', 'axios-retry', 'ofetch'],
  resilience: ['@macadam/resilience', 'cockatiel', 'opossum', 'p-retry', 'effect'],
  cache: ['@macadam/cache', 'lru-cache', 'bentocache', 'cacheable', 'cache-manager', 'async-cache-dedupe'],
  ratelimit: ['@macadam/ratelimit', 'rate-limiter-flexible', 'limiter', 'bottleneck'],
  telemetry: ['@macadam/telemetry', 'pino', 'winston', '@logtape/logtape'],
  auth: ['@macadam/auth', 'jose', 'fast-jwt', 'jsonwebtoken', '@casl/ability', 'casbin'],
};

const { values } = parseArgs({ options: { save: { type: 'boolean', default: false } } });
const names = Object.entries(groups).flatMap(([group, members]) => members.map((name) => ({ group, name })));
const isQuiet = await quiet(60_000);
if (!isQuiet) console.log('The machine is busy: expect a wide spread.');
const times = new Map<string, number[]>(names.map(({ name }) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const { name } of names) {
    const [program = '', ...args] = [...(await pinning()), process.execPath, '--no-warnings', IMPORT_TIME, name];
    const { stdout } = await run(program, args, { cwd: bench });
    times.get(name)?.push((JSON.parse(stdout) as { cpuMs: number }).cpuMs);
  }
}
const packages = names.map(({ group, name }): Footprint => {
  return { group, name, importCpuMs: figureOf(times.get(name) ?? []), ...installSize(name, bench) };
});
const result: FootprintResult = {
  ...{ date: new Date().toISOString().slice(0, 10), node: process.version, cpu: processor(), quiet: isQuiet },
  ...{ rounds: ROUNDS, packages },
};
for (const group of Object.keys(groups)) console.log(`\n${group}\n${textTable(footprintRows(result, group))}`);
if (values.save) saveResult('footprint', result);
