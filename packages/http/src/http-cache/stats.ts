/** Counts of a client's cache since the client was made. */
export interface HttpCacheStats {
  /** Calls answered with what was stored and fresh. */
  readonly hits: number;
  /** Calls answered with what was stale: while it was asked for anew, or because asking failed. */
  readonly stale: number;
  /** Calls answered with what was stored after the server had said that it is still good. */
  readonly revalidated: number;
  /** Calls for which there was nothing stored to answer with: none that fitted, or it had changed. */
  readonly misses: number;
  /** Answers kept, updated ones included. */
  readonly stored: number;
  /** URLs outdated by calls that change something. */
  readonly invalidated: number;
  /** Times the store failed or was too slow; not those it was left alone, because it had failed again and again. */
  readonly storeFailures: number;
  /** URLs in memory; undefined with a store of your own. */
  readonly entries: number | undefined;
  /** Bytes in memory; undefined with a store of your own. */
  readonly bytes: number | undefined;
}

/** The counts while they are counted. */
export class CacheCounts {
  hits = 0;
  stale = 0;
  revalidated = 0;
  misses = 0;
  stored = 0;
  invalidated = 0;
}
