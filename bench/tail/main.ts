// `npm run bench -- tail [--quick] [--save]`: tail latency as the load approaches the capacity of the service, and
// beyond it.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { pinning, processor, quiet } from '../src/machine.ts';
import { saveResult } from '../src/pages.ts';
import { textTable } from '../src/table.ts';
import { callers } from './callers.ts';
import { tailRows, type Tail, type TailResult, type TailRun } from './page.ts';

const run = promisify(execFile);
const WORKERS = 10;
const SERVICE_MS = 10;
const CAPACITY_SECONDS = 3;
const LOADS = [0.5, 0.8, 0.95, 1.2];

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, save: { type: 'boolean' } } });
const seconds = values.quick ? 2 : 8;

async function withServer<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = fork(join(import.meta.dirname, 'server.ts'), [String(WORKERS), String(SERVICE_MS)], {
    execArgv: ['--no-warnings'],
  });
  try {
    const [port] = (await once(server, 'message')) as [number];
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    server.kill();
  }
}

async function load(caller: string, perSecond: number): Promise<Tail> {
  return await withServer(async (url) => {
    const script = join(import.meta.dirname, 'load.ts');
    const args = ['--no-warnings', script, caller, url, String(perSecond), String(seconds)];
    const [program = '', ...rest] = [...(await pinning()), process.execPath, ...args];
    const { stdout } = await run(program, rest, { timeout: 120_000 });
    return JSON.parse(stdout) as Tail;
  });
}

/**
 * Measures the capacity: more concurrent requests than the service has workers, for three seconds; the best second
 * counts.
 */
async function capacityOf(url: string): Promise<number> {
  const { Pool } = await import('undici');
  const pool = new Pool(url, { connections: WORKERS * 2 });
  const perSecond: number[] = [];
  const startedAt = performance.now();
  const lane = async (): Promise<void> => {
    for (;;) {
      await (await pool.request({ method: 'GET', path: '/' })).body.dump();
      const second = Math.floor((performance.now() - startedAt) / 1_000);
      if (second >= CAPACITY_SECONDS) return;
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: WORKERS * 2 }, lane));
  await pool.close();
  return Math.max(...perSecond.filter((count) => count > 0));
}

if (values.quick && values.save) {
  console.error('--save needs a full run; it cannot be combined with --quick.');
  process.exit(2);
}
const isQuiet = await quiet(values.quick ? 0 : 60_000);
if (!isQuiet) console.log('The machine is busy: latencies will be too high.');
const capacity = await withServer(capacityOf);
const machine = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  cpu: processor(),
  quiet: isQuiet,
};
const runs: TailRun[] = [];
for (const share of LOADS) {
  const perSecond = Math.round(capacity * share);
  for (const caller of Object.keys(callers)) {
    try {
      runs.push({ caller, load: share, perSecond, ...(await load(caller, perSecond)) });
    } catch (error) {
      console.error(`${caller} failed: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
  console.log(`\n${Math.round(share * 100)} % of ${capacity} a second\n${textTable(tailRows({ runs }, share))}`);
  if (values.save) saveResult('tail', { ...machine, seconds, capacity, runs } satisfies TailResult);
}
