// Decisions in memory beside peers, interleaved in one process: `node --conditions=@macadam/source --expose-gc bench/memory.ts`.
import { RateLimiter as Limiter } from 'limiter';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { createRateLimiter, memoryStore, tokenBucket } from '../src/index.ts';

const rounds = 9;
const decisions = 200_000;
const store = memoryStore({ maxKeys: 200_000 });
const limits = [tokenBucket({ limit: 60, periodMs: 3_600_000, burst: 1e9 })];
const ours = createRateLimiter({ name: 'bench', limits, store });
const flexible = new RateLimiterMemory({ points: 1e9, duration: 60 });
const bucket = () => new Limiter({ tokensPerInterval: 1e9, interval: 'second' });
const buckets = new Map<string, Limiter>();

const contenders: Record<string, (key: string) => unknown> = {
  'macadam tryTake': (key) => ours.tryTake(key),
  'macadam await take': (key) => ours.take(key),
  'rate-limiter-flexible await consume': (key) => flexible.consume(key),
  'limiter tryRemoveTokens, a Map of them': (key) => {
    let one = buckets.get(key);
    if (one === undefined) buckets.set(key, (one = bucket()));
    return one.tryRemoveTokens(1);
  },
};

for (const keyCount of [1, 100_000]) {
  const keys = Array.from({ length: keyCount }, (_, i) => `client-${i}`);
  const best = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, take] of Object.entries(contenders)) {
      const waits = name.includes('await');
      const from = process.hrtime.bigint();
      for (let i = 0; i < decisions; i++) {
        const result = take(keys[i % keyCount] as string);
        if (waits) await result;
      }
      const ns = Number(process.hrtime.bigint() - from) / decisions;
      best.set(name, Math.min(best.get(name) ?? Infinity, ns));
    }
  }
  for (const [name, ns] of best) console.log(`${keyCount} keys  ${name.padEnd(38)} ${ns.toFixed(0).padStart(6)} ns`);
}

const many = Array.from({ length: 100_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
globalThis.gc?.();
const before = process.memoryUsage();
const fresh = createRateLimiter({ name: 'memory', limits, store });
for (const key of many) fresh.tryTake(key);
globalThis.gc?.();
const after = process.memoryUsage();
const bytes = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
console.log(`${(bytes / many.length).toFixed(0)} bytes a key, 100 000 keys, strings of the caller not counted`);
console.log(fresh.stats());
