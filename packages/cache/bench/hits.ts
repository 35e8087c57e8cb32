// What a hit costs, beside a bare lru-cache and peers, all in one process and one run:
// node --conditions=@macadam/source packages/cache/bench/hits.ts
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { LRUCache } from 'lru-cache';
import { createCache } from '@macadam/cache';

const KEYS = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
const CALLS = 200_000;
const ROUNDS = 9;
const value = { id: 1, name: 'Ann', roles: ['reader'] };
const load = async (): Promise<typeof value> => value;

const lru = new LRUCache<string, typeof value>({ max: 10_000 });
const ours = createCache<typeof value>({ name: 'bench', ttlMs: 3_600_000 });
const memory = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize: false }));
const bento = new BentoCache({ default: 'memory', stores: { memory } });
const dedupe = createDedupe({ ttl: 3_600, storage: { type: 'memory', options: { size: 10_000 } } }).define(
  'user',
  load,
);

const contenders: Record<string, (key: string) => unknown> = {
  'lru-cache get': (key) => lru.get(key),
  'macadam peek': (key) => ours.peek(key),
  'macadam getOrLoad': (key) => ours.getOrLoad(key, load),
  'bentocache getOrSet (memory, not serialized)': (key) => bento.getOrSet({ key, factory: load, ttl: '1h' }),
  'async-cache-dedupe': (key) => (dedupe as unknown as { user(key: string): Promise<unknown> }).user(key),
};

for (const key of KEYS) {
  lru.set(key, value);
  for (const call of Object.values(contenders)) await call(key);
}
const times = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of Object.entries(contenders)) {
    const asynchronous = call(KEYS[0] as string) instanceof Promise;
    const start = process.hrtime.bigint();
    if (asynchronous) for (let i = 0; i < CALLS; i++) await call(KEYS[i % 1_000] as string);
    else for (let i = 0; i < CALLS; i++) call(KEYS[i % 1_000] as string);
    times.get(name)?.push(Number(process.hrtime.bigint() - start) / CALLS);
  }
}
for (const [name, all] of times) {
  const median = all.sort((a, b) => a - b)[ROUNDS >> 1] as number;
  console.log(`${name.padEnd(46)} ${median.toFixed(0).padStart(7)} ns`);
}
process.exit();
