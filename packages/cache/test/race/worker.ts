// One process of the race: node worker.ts <module of contenders> <name> <url of Redis> <url of the source> <prefix> <index> <seed>
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { seededRandom } from '@macadam/testkit';
import { createClient } from 'redis';
import { tagOf, type Contender } from './contender.ts';
import type { Invalidation, RecordedRead } from './verdict.ts';

const [modulePath, name, redisUrl, sourceUrl, prefix, index, seed] = process.argv.slice(2) as [
  string, string, string, string, string, string, string,
]; // prettier-ignore
const READERS = 6;
const KEYS = ['a0', 'a1', 'b0', 'b1', 'b2'];
/**
 * Written only by this process, one write after the other: concurrent sets of two processes have no order that a cache
 * could preserve.
 */
const OWN_KEY = `own-${index}`;
const ALL_KEYS = [...KEYS, ...['0', '1', '2', '3'].map((i) => `own-${i}`)];

const random = seededRandom(Number(seed));
const { contenders } = (await import(pathToFileURL(modulePath).href)) as { contenders: Record<string, Contender> };
const source = createClient({ url: sourceUrl });
await source.connect();
const cache = await (contenders[name] as Contender).open(redisUrl, prefix);

/** The monotonic clock, which all processes of a machine share. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const versionKey = (key: string): string => `${prefix}:source:${key}`;

async function load(key: string): Promise<number> {
  if (random() < 0.3) await sleep(random() * 10);
  const version = Number(await source.get(versionKey(key)));
  if (random() < 0.7) await sleep(random() * 25);
  return version;
}

const reads: RecordedRead[] = [];
const invalidations: Invalidation[] = [];
let failed = 0;

async function read(key: string): Promise<void> {
  const startedAt = now();
  const version = await cache.read(key, () => load(key));
  reads.push({ key, version, startedAt });
}

async function write(
  key: string,
  end: (version: number) => Promise<boolean>,
  keys: readonly string[] = [key],
): Promise<void> {
  const version = await source.incr(versionKey(key));
  const everywhere = await end(version);
  const at = now();
  if (keys.includes(key)) invalidations.push({ key, version, at, everywhere });
}

async function act(): Promise<void> {
  const key = pick(KEYS);
  const dice = random();
  if (dice < 0.88) return read(pick(ALL_KEYS));
  if (dice < 0.96 || cache.invalidateTag === undefined) return write(key, () => cache.invalidate(key));
  return write(key, () => (cache.invalidateTag as (tag: string) => Promise<boolean>)(tagOf(key)));
}

async function loop(step: () => Promise<void>, pauseMs: number): Promise<void> {
  for (;;) {
    await step().catch(() => failed++);
    await sleep(random() * pauseMs);
  }
}

for (let i = 0; i < READERS; i++) void loop(act, 8);
if (cache.set !== undefined)
  void loop(() => write(OWN_KEY, (version) => (cache.set as NonNullable<typeof cache.set>)(OWN_KEY, version)), 60);
setInterval(() => {
  process.send?.({ reads: reads.splice(0), invalidations: invalidations.splice(0), failed });
  failed = 0;
}, 100);
process.on('disconnect', () => process.exit());
