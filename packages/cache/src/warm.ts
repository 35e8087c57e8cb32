import { assertFunction, assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import type { Cache, LoaderOfMany, WarmOptions, WarmResult } from './cache.ts';
import { assertKeys } from './key.ts';
import { assertSetOptions } from './options.ts';

/** Loads what is not fresh, batch by batch, one after the other: a cold start must not become a flood. */
export async function warm<T>(
  cache: Cache<T>,
  keys: AsyncIterable<string> | Iterable<string>,
  loader: LoaderOfMany<T>,
  options: WarmOptions,
): Promise<WarmResult> {
  assertObject('warm', options);
  assertKnownOptions('warm', options, ['batchSize', 'ttlMs', 'tags']);
  assertFunction('warm.loader', loader);
  assertKeys('warm.keys', keys, Symbol.asyncIterator in Object(keys) ? Symbol.asyncIterator : Symbol.iterator);
  const { batchSize = 100, ...setOptions } = options;
  assertInteger('warm.batchSize', batchSize, { min: 1, max: 100_000 });
  assertSetOptions('warm', setOptions);
  const result = { present: 0, loaded: 0, failed: 0 };
  let batch: string[] = [];
  const load = async (): Promise<void> => {
    const present = await cache.getMany(batch);
    const missing = batch.filter((key) => !present.has(key));
    batch = [];
    result.present += present.size;
    try {
      const loaded = await cache.getOrLoadMany(missing, loader, setOptions);
      result.loaded += loaded.size;
      result.failed += missing.length - loaded.size;
    } catch {
      // One value that failed rejects for all of them, and the others are there.
      const there = await cache.getMany(missing);
      result.loaded += there.size;
      result.failed += missing.length - there.size;
    }
  };
  // A list may name a key twice; over all of them that is not worth remembering each.
  for await (const key of keys) {
    if (!batch.includes(key)) batch.push(key);
    if (batch.length >= batchSize) await load();
  }
  if (batch.length > 0) await load();
  return result;
}
