import { assertInteger, assertKnownOptions, assertNumber, assertObject, assertOneOf } from '@macadam/core';

export interface MemoryOptions {
  /** Entries kept at most, at least 1. Default: 10 000. */
  maxEntries?: number;
  /**
   * Bytes of values kept at most, estimated from their shape; above 0, `Infinity` for no limit. A larger value is served and
   * not kept. Default: 67 108 864 (64 MiB).
   */
  maxBytes?: number;
  /**
   * What makes room for a new entry. `lru`: what was not asked for the longest. `s3-fifo`: what was asked for once only, before
   * what was asked for again; better where many keys are never asked for a second time. Default: `lru`.
   */
  eviction?: Eviction;
}

/** How entries make room for others. */
export type Eviction = 'lru' | 's3-fifo';

const DEFAULTS: Required<MemoryOptions> = { maxEntries: 10_000, maxBytes: 67_108_864, eviction: 'lru' };
const NOTHING_KEPT: Required<MemoryOptions> = { ...DEFAULTS, maxEntries: 1, maxBytes: 0 };

/** The options with every default filled in, checked; `maxBytes` 0 for no memory at all. */
export function memorySettings(path: string, options: MemoryOptions | false = {}): Required<MemoryOptions> {
  if (options === false) return NOTHING_KEPT;
  assertObject(path, options);
  assertKnownOptions(path, options, ['maxEntries', 'maxBytes', 'eviction']);
  const { maxEntries = DEFAULTS.maxEntries, maxBytes = DEFAULTS.maxBytes, eviction = DEFAULTS.eviction } = options;
  // The most that one map of the language can hold.
  assertInteger(`${path}.maxEntries`, maxEntries, { min: 1, max: 16_000_000 });
  assertNumber(`${path}.maxBytes`, maxBytes, { above: 0, infinite: true });
  if (maxBytes !== Infinity) assertInteger(`${path}.maxBytes`, maxBytes);
  assertOneOf(`${path}.eviction`, eviction, ['lru', 's3-fifo']);
  return { maxEntries, maxBytes, eviction };
}
