// Measures the memory per key of the memory store: `node --conditions=@macadam/source --expose-gc bench/bytes-per-key.ts`.
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  memoryStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../src/index.ts';

// Without explicit garbage collections the measurement would include garbage.
const { gc } = globalThis;
if (gc === undefined) throw new Error('Run it with --expose-gc.');

const keys = Array.from({ length: 100_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
const options = { limit: 60, periodMs: 3_600_000 };
const limits = {
  tokenBucket: [tokenBucket(options)],
  fixedWindow: [fixedWindow(options)],
  slidingWindow: [slidingWindow(options)],
  'slidingWindow, 60 cells': [slidingWindow({ ...options, cells: 60 })],
  slidingLog: [slidingLog(options)],
  concurrency: [concurrency({ limit: 60, permitTtlMs: options.periodMs })],
  'bucket and window': [tokenBucket({ ...options, name: 'a' }), slidingWindow({ ...options, name: 'b' })],
};

for (const [kind, list] of Object.entries(limits)) {
  gc();
  const before = process.memoryUsage();
  const store = memoryStore({ maxKeys: keys.length });
  const limiter = createRateLimiter({ name: 'bytes', limits: list, store });
  for (const key of keys) limiter.tryTake(key);
  gc();
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
  const { keys: kept } = limiter.stats();
  console.log(
    `${kind}: ${(bytes / keys.length).toFixed(0)} bytes a key, ${kept} keys; without the strings of the keys`,
  );
}
