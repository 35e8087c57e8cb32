// `npm run bench -- profile [NAME] [--seconds 3] [--out DIR]`: a flame graph of each hot path whose name has NAME in it.
// With `--save`, those of all paths go into the docs, with the page that tells where their time goes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hotPaths } from '../budgets/hot-paths.ts';
import { processor } from '../src/machine.ts';
import { benchmarks, saveResult } from '../src/pages.ts';
import { flameGraph } from './flame-graph.ts';
import { flameFile, type ProfileResult } from './page.ts';
import { sharesOf, type PathShares } from './shares.ts';

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

async function operateFor(run: () => unknown, ms: number): Promise<void> {
  for (const endAt = performance.now() + ms; performance.now() < endAt;) {
    for (let i = 0; i < 1_000; i++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
  }
}

const paths: PathShares[] = [];
for (const { name, setup } of chosen) {
  const run = await setup();
  await operateFor(run, 1_000);
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  await operateFor(run, seconds * 1_000);
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
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
process.exit(0);
