import { isMacadamError, MacadamError } from '@macadam/core';

/** Why a load gave no value: the loader threw, it took too long, or it found no place among the loads in flight. */
export type LoadFailure = 'failed' | 'refused' | 'timeout';

/**
 * A value could not be loaded, and no earlier one may serve. Code `MAC_CACHE_LOADER`; `cause` is what the loader threw.
 * Retryable when the time ran out or the cause says so. The key is not told: keys often hold what must not be logged.
 */
export class CacheLoaderError extends MacadamError {
  /** The cache's name. */
  readonly cache: string;
  readonly reason: LoadFailure;

  constructor(cache: string, reason: LoadFailure, cause: unknown) {
    super(`Cache "${cache}" could not load a value: ${IN_WORDS[reason]}`, {
      code: 'MAC_CACHE_LOADER',
      retryable: reason !== 'failed' || (isMacadamError(cause) && cause.retryable),
      cause,
    });
    this.cache = cache;
    this.reason = reason;
  }
}
CacheLoaderError.prototype.name = 'CacheLoaderError';

const IN_WORDS: Record<LoadFailure, string> = {
  failed: 'the loader failed',
  refused: 'too many loads are in flight',
  timeout: 'the loader took too long',
};

/** A value that cannot be kept as it is. Code `MAC_CACHE_VALUE`; `cause` says what about it. */
export class CacheValueError extends MacadamError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'MAC_CACHE_VALUE', cause });
  }
}
CacheValueError.prototype.name = 'CacheValueError';

/** The cache was closed. Code `MAC_CACHE_CLOSED`. */
export class CacheClosedError extends MacadamError {
  /** The cache's name. */
  readonly cache: string;

  constructor(cache: string) {
    super(`Cache "${cache}" is closed`, { code: 'MAC_CACHE_CLOSED' });
    this.cache = cache;
  }
}
CacheClosedError.prototype.name = 'CacheClosedError';
