// Reads ten million distinct keys through a memory of ten thousand entries, with tags and invalidations, for each
// eviction policy:
// node --expose-gc --conditions=@macadam/source packages/cache/bench/ten-million-keys.ts
// Exits with 1 when the heap has grown or any table exceeds its bound.
import { createCache, type Eviction } from '@macadam/cache';

const KEYS = 10_000_000;
const MOST_GROWTH = 16 * 2 ** 20;
const MOST_TABLE = 20_000;

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function run(eviction: Eviction): Promise<boolean> {
  const cache = createCache<number>({ name: eviction, l1: { eviction } });
  let before = 0;
  for (let i = 0; i < KEYS; i++) {
    await cache.getOrLoad(`key-${i}`, () => i, { tags: [`tag-${i}`] });
    if (i % 3 === 0) await cache.invalidate(`key-${i - 1}`);
    if (i % 5 === 0) await cache.invalidateTags([`tag-${i}`]);
    if (i === 100_000) before = heap();
  }
  const growth = heap() - before;
  const { entries, inFlight, tags, loads } = cache.stats();
  const mebibytes = (growth / 2 ** 20).toFixed(1);
  console.log(
    `${eviction}: ${loads} loads, heap ${mebibytes} MiB more than after 100 000, entries ${entries}, in flight ${inFlight}, tags ${tags}`,
  );
  return growth < MOST_GROWTH && entries <= 10_000 && inFlight === 0 && tags <= MOST_TABLE;
}

const held = [await run('lru'), await run('s3-fifo')];
process.exitCode = held.every(Boolean) ? 0 : 1;
