import type { EntryState } from './cache.ts';
import { freshnessOf, type Entry } from './entry.ts';
import type { CacheSettings } from './options.ts';

/** The effective options, in words. */
export function describeCache(settings: CacheSettings): string {
  const { name, ttlMs, ttlJitter, staleWhileRevalidateMs, staleIfErrorMs, negativeTtlMs, l1 } = settings;
  const { loaderSoftTimeoutMs, loaderTimeoutMs, maxConcurrentLoads, earlyRefresh, isolation, l2, coherence } = settings;
  return [
    `cache "${name}": fresh for ${ttlMs} ms, shortened by up to ${Math.round(ttlJitter * 100)} %`,
    `an absence for ${negativeTtlMs} ms`,
    staleWhileRevalidateMs === 0
      ? 'waits for what has expired'
      : `then stale for ${staleWhileRevalidateMs} ms while it is loaded anew`,
    staleIfErrorMs === 0
      ? 'a failed load is an error'
      : `stale for ${staleIfErrorMs} ms when a load fails or takes longer than ${loaderSoftTimeoutMs} ms`,
    `loads end after ${loaderTimeoutMs} ms, ${maxConcurrentLoads} at once`,
    earlyRefresh ? 'refreshed early' : 'not refreshed early',
    `memory: ${l1.maxEntries} entries and ${l1.maxBytes} bytes at most, isolation ${isolation}`,
    l2 === undefined ? 'not shared' : `shared through ${l2.describe()}; coherence: ${coherence}`,
  ].join('; ');
}

/** What an entry's fields mean now. */
export function stateOf(entry: Entry<unknown>, now: number, loading: boolean): EntryState {
  return {
    state: freshnessOf(entry, now),
    negative: entry.value === null,
    ageMs: now - entry.storedAt,
    freshForMs: entry.freshUntil - now,
    refreshInMs: entry.refreshAt - now,
    staleForMs: entry.errorUntil - now,
    tags: [...entry.tags],
    bytes: Math.round(entry.bytes),
    failures: entry.failures,
    retryInMs: Math.max(0, entry.retryAt - now),
    loading,
  };
}
