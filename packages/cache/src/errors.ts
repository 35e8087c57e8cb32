import { ClosedError, isMacadamError, MacadamError } from '@macadam/core';

/** Why a load gave no value. Stable values, for metrics. */
export type LoaderReason =
  /** The loader threw or rejected, or its value cannot be stored. */
  | 'failed'
  /** `maxConcurrentLoads` loads are in flight, and too many wait already. */
  | 'refused'
  /** The load took longer than `loaderTimeoutMs`. */
  | 'timeout';

/**
 * A value could not be loaded, and there is no stale value to serve instead. Code `MAC_CACHE_LOADER`; `cause` is what the
 * loader threw. Retryable for `timeout` and `refused`, and where the cause is. Does not contain the key, since keys often hold
 * personal data.
 */
export class CacheLoaderError extends MacadamError {
  /** The name of the cache. */
  readonly cache: string;
  /** Why there is no value. */
  readonly reason: LoaderReason;

  constructor(cache: string, reason: LoaderReason, cause: unknown) {
    super(`Cache "${cache}" could not load a value: ${REASON_TEXT[reason]}`, {
      code: 'MAC_CACHE_LOADER',
      retryable: reason !== 'failed' || (isMacadamError(cause) && cause.retryable),
      cause,
    });
    this.cache = cache;
    this.reason = reason;
  }
}
CacheLoaderError.prototype.name = 'CacheLoaderError';

const REASON_TEXT: Record<LoaderReason, string> = {
  failed: 'the loader failed',
  refused: 'too many loads are in flight',
  timeout: 'the loader took too long',
};

/**
 * A value cannot be stored as the options ask: it does not fit the codec, the schema or the isolation, or a bulk loader returned
 * something else than values by key. Code `MAC_CACHE_VALUE`, not retryable. The message says what is wrong; `cause` is the
 * underlying error, if there is one.
 */
export class CacheValueError extends MacadamError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'MAC_CACHE_VALUE', cause });
  }
}
CacheValueError.prototype.name = 'CacheValueError';

/** The error of every call of the cache after its `close()`. */
export function closedError(name: string): ClosedError {
  return new ClosedError(componentName(name));
}

/** Whether `error` says that this cache was closed. A loader may also fail because another component was closed. */
export function isClosedError(error: unknown, name: string): boolean {
  return isMacadamError(error, 'MAC_CLOSED') && (error as Partial<ClosedError>).component === componentName(name);
}

function componentName(name: string): string {
  return `Cache "${name}"`;
}
