import type { EntryState } from './cache.ts';
import { freshnessOf, type Entry } from './entry.ts';
import type { CacheSettings } from './options.ts';

/** The effective options of a cache in words. */
export function describeCache(settings: CacheSettings): string {
  const { name, ttlMs, ttlJitter, staleWhileRevalidateMs, staleIfErrorMs, negativeTtlMs } = settings;
  const { loaderSoftTimeoutMs, loaderTimeoutMs, maxConcurrentLoads, earlyRefresh, isolation, l2, coherence } = settings;
  return [
    `cache "${name}": fresh for ${ttlMs} ms, shortened by up to ${Math.round(ttlJitter * 100)} %`,
    `null for ${negativeTtlMs} ms`,
    staleWhileRevalidateMs === 0
      ? 'reads wait for the reload of an expired value'
      : `then served stale for ${staleWhileRevalidateMs} ms while it is reloaded`,
    staleIfErrorMs === 0
      ? 'a failed load is an error'
      : `served stale for ${staleIfErrorMs} ms when a load fails or takes longer than ${loaderSoftTimeoutMs} ms`,
    `loads time out after ${loaderTimeoutMs} ms, at most ${maxConcurrentLoads} at once`,
    earlyRefresh ? 'refreshed early' : 'not refreshed early',
    describeMemory(settings),
    `isolation ${isolation}`,
    ...(l2 === undefined
      ? ['not shared']
      : [`shared through ${l2.describe()}`, `coherence: ${coherence}`, describeEncoding(settings)]),
  ].join('; ');
}

function describeMemory({ l1 }: CacheSettings): string {
  if (l1.maxBytes === 0) return 'nothing in memory';
  const { maxEntries, maxBytes, eviction } = l1;
  return `memory: ${maxEntries} entries and ${maxBytes} bytes at most, ${eviction === 'lru' ? 'LRU' : 'S3-FIFO'}`;
}

/** How values are encoded for the shared tier. Of the encryption keys, only the ids are shown. */
function describeEncoding(settings: CacheSettings): string {
  const { codec, compressAboveBytes, maxValueBytes, schema, schemaVersion, encryption } = settings;
  return [
    `values as ${codec.id}${schemaVersion === '' ? '' : `, schema version ${JSON.stringify(schemaVersion)}`}`,
    compressAboveBytes === Infinity ? 'not compressed' : `compressed above ${compressAboveBytes} bytes`,
    `at most ${maxValueBytes} bytes`,
    schema === undefined ? 'not validated' : `validated by ${schema['~standard'].vendor}`,
    encryption === undefined
      ? 'not encrypted'
      : `encrypted with ${encryption.current} (of ${encryption.ids.join(', ')})`,
  ].join(', ');
}

/** The state of an entry at `now`, for `cache.inspect`. */
export function entryState(entry: Entry<unknown>, now: number, loading: boolean): EntryState {
  return {
    state: freshnessOf(entry, now),
    negative: entry.value === null,
    ageMs: now - entry.storedAt,
    freshForMs: entry.freshUntil - now,
    refreshInMs: entry.refreshAt - now,
    staleForMs: entry.staleIfErrorUntil - now,
    tags: [...entry.tags],
    bytes: Math.round(entry.bytes),
    failures: entry.failures,
    retryInMs: Math.max(0, entry.retryAt - now),
    loading,
  };
}
