/** Statistics of the HTTP cache of a client: counts since the client was created, and its current size. */
export interface HttpCacheStats {
  /** Calls answered with a fresh stored response. */
  readonly hits: number;
  /** Calls answered with a stale stored response: during revalidation in the background, or because the server failed. */
  readonly stale: number;
  /** Calls answered with a stored response after the server had confirmed it (304). */
  readonly revalidated: number;
  /** Calls answered by the server: nothing suitable was stored, or it had changed. */
  readonly misses: number;
  /** Responses written to the store, updates included; not those that were too large, or that the store failed to take. */
  readonly stored: number;
  /** URLs invalidated by unsafe requests (RFC 9111, section 4.4). */
  readonly invalidated: number;
  /** Operations of the store that failed or were too slow, without those skipped after repeated failures. */
  readonly storeFailures: number;
  /** URLs in memory; undefined with a `store`. */
  readonly entries: number | undefined;
  /** Bytes in memory; undefined with a `store`. */
  readonly bytes: number | undefined;
}

/** The counters behind {@link HttpCacheStats}. */
export class CacheCounts {
  hits = 0;
  stale = 0;
  revalidated = 0;
  misses = 0;
  stored = 0;
  invalidated = 0;
}
