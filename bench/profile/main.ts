// `npm run bench -- profile [NAME] [--seconds 3] [--out DIR]`: a flame graph of each hot path whose name has NAME in it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hotPaths } from '../budgets/hot-paths.ts';
import { flameGraph, selfTimes } from './flame-graph.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    out: { type: 'string', default: join(tmpdir(), 'macadam-profiles') },
  },
});
const [wanted = ''] = positionals;
const chosen = hotPaths.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
if (chosen.length === 0) {
  console.error(
    `No hot path has "${wanted}" in its name. There are:\n${hotPaths.map(({ name }) => `  ${name}`).join('\n')}`,
  );
  process.exit(2);
}
mkdirSync(values.out, { recursive: true });

async function operateFor(run: () => unknown, ms: number): Promise<void> {
  for (const endAt = performance.now() + ms; performance.now() < endAt;) {
    for (let i = 0; i < 1_000; i++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
  }
}

for (const { name, setup } of chosen) {
  const run = await setup();
  await operateFor(run, 1_000);
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  await operateFor(run, Number(values.seconds) * 1_000);
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const file = join(values.out, `${name.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')}.svg`);
  writeFileSync(file, flameGraph(profile, name));
  console.log(`\n${name}: ${file}`);
  for (const { label, share } of selfTimes(profile).slice(0, 8))
    console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${label}`);
}
process.exit(0);
