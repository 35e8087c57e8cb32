// Runs one hot path in a process of its own: `record.ts PATH SECONDS`. Prints its CPU profile as JSON.
import { Session } from 'node:inspector/promises';
import { hotPaths } from '../budgets/hot-paths.ts';

const [wanted, seconds] = process.argv.slice(2);
const path = hotPaths.find(({ name }) => name === wanted);
if (path === undefined) throw new Error(`No hot path "${wanted}".`);
const WARM_UP_MS = 1_000;
const SAMPLE_US = 200;

async function operateFor(run: () => unknown, ms: number): Promise<void> {
  for (const endAt = performance.now() + ms; performance.now() < endAt;) {
    for (let i = 0; i < 1_000; i++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
  }
}

const run = await path.setup();
await operateFor(run, WARM_UP_MS);
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
await session.post('Profiler.start');
await operateFor(run, Number(seconds) * 1_000);
const { profile } = await session.post('Profiler.stop');
process.stdout.write(JSON.stringify(profile), () => process.exit(0));
