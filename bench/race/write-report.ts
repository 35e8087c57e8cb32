// Writes docs/cache-races.md: `npm run races`. `-- --seconds 600` sets the duration of each race; with
// `-- --only bentocache`, only that contender runs and the others keep their results; with `-- --try`, nothing is written.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { race, type RaceReport } from '../../packages/cache/test/race/race.ts';
import { page, type Run } from './page.ts';

const root = join(import.meta.dirname, '..', '..');
const ours = join(root, 'packages', 'cache', 'test', 'race', 'contender.ts');
const peers = join(import.meta.dirname, 'peers.ts');
const redisUrl = process.env['REDIS_URL'];
if (redisUrl === undefined) throw new Error('Set REDIS_URL, or use `npm run races`.');

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const seconds = Number(option('--seconds') ?? 20);
const only = option('--only');
const results = join(root, 'docs', 'cache-races.json');
/**
 * What each library promises across processes; cacheable, in this setup, that entries in memory do not outlive those in
 * Redis.
 */
const BOUND = { connectedMs: 500, cutMs: 8_000 };
const WITHOUT_INVALIDATION = { connectedMs: 32_000, cutMs: 40_000 };
const BY_LIFETIME = { connectedMs: 2_500, cutMs: 8_000 };
const valkeyUrl = process.env['VALKEY_URL'];
if (valkeyUrl === undefined) console.log('There is no Valkey: its row stays as it is.');
/** The name of a contender, with the name of the server unless it is Redis. */
const lineUp: readonly (readonly [name: string, module: string, bounds: typeof BOUND, server?: 'Valkey'])[] = [
  ['macadam, log', ours, BOUND],
  ['macadam, log', ours, BOUND, 'Valkey'],
  ['macadam, log, ioredis', ours, BOUND],
  ['macadam, pubsub', ours, BOUND],
  ['macadam, tracking', ours, BOUND],
  ['macadam, none', ours, WITHOUT_INVALIDATION],
  ['bentocache', peers, BOUND],
  ['cacheable', peers, BY_LIFETIME],
  ['async-cache-dedupe', peers, BOUND],
];

const previous = existsSync(results) ? (JSON.parse(readFileSync(results, 'utf8')) as Run[]) : [];
const runs: Run[] = [];
for (const faults of ['none', 'cuts and restarts'] as const) {
  for (const [name, module, bounds, server] of lineUp) {
    const contender = server === undefined ? name : `${name}, ${server}`;
    const url = server === undefined ? redisUrl : valkeyUrl;
    const known = previous.find((run) => run.contender === contender && run.faults === faults);
    if (url === undefined || (only !== undefined && only !== contender && known !== undefined)) {
      if (known !== undefined) runs.push(known);
      continue;
    }
    const durationMs = seconds * 1_000;
    const report: RaceReport = await race({
      module,
      contender: name,
      redisUrl: url,
      durationMs,
      faults,
      bounds,
      seed: 1,
    });
    console.log(faults, contender, report);
    runs.push({ contender, faults, seconds, bounds, report });
  }
}
if (!process.argv.includes('--try')) {
  writeFileSync(results, `${JSON.stringify(runs, undefined, 2)}\n`);
  writeFileSync(join(root, 'docs', 'cache-races.md'), page(runs));
}
process.exit();
