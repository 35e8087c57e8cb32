import { assertFunction, assertInteger, assertKnownOptions, assertObject, currentWork } from '@macadam/core';
import type { Cache, LoaderOfMany, WarmOptions, WarmResult } from './cache.ts';
import { assertKeys } from './key.ts';
import { assertSetOptions } from './options.ts';

/**
 * Implements `cache.warm`: loads the keys that are not fresh in sequential batches, so that a cold start does not
 * overload the source.
 */
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
  const batch = new Set<string>();
  // The reads of a work that has ended fail at once, batch after batch, while the loads that they started go on.
  const assertNotEnded = (): void => currentWork()?.signal.throwIfAborted();
  const load = async (): Promise<void> => {
    assertNotEnded();
    const present = await cache.getMany(batch);
    const missing = [...batch].filter((key) => !present.has(key));
    batch.clear();
    result.present += present.size;
    try {
      const loaded = await cache.getOrLoadMany(missing, loader, setOptions);
      result.loaded += loaded.size;
      result.failed += missing.length - loaded.size;
    } catch {
      assertNotEnded();
      // One failed value rejects the whole call although the others were loaded.
      const stored = await cache.getMany(missing);
      result.loaded += stored.size;
      result.failed += missing.length - stored.size;
    }
  };
  // Duplicates are removed within a batch only: remembering every key is not worth the memory.
  for await (const key of keys) {
    batch.add(key);
    if (batch.size >= batchSize) await load();
  }
  if (batch.size > 0) await load();
  return result;
}
