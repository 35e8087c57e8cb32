import { assertInteger, assertKnownOptions, assertNumber, assertObject, assertOneOf } from '@macadam/core';

/** Limits of the memory tier (`l1`). */
export interface MemoryOptions {
  /** Maximum number of entries, 1 to 16 000 000. Default: 10 000. */
  maxEntries?: number;
  /**
   * Maximum size of all values, in bytes, estimated from their shape; above 0, `Infinity` for no limit. A larger value
   * is returned and not stored. Default: 67 108 864 (64 MiB).
   */
  maxBytes?: number;
  /**
   * Which entry makes room for a new one. `lru`: the least recently used. `s3-fifo`: entries that were read only once
   * go first; better where many keys are never read again. Default: `lru`.
   */
  eviction?: Eviction;
}

/** How the memory tier chooses the entry that makes room for a new one. */
export type Eviction = 'lru' | 's3-fifo';

const DEFAULTS: Required<MemoryOptions> = { maxEntries: 10_000, maxBytes: 67_108_864, eviction: 'lru' };
const NO_MEMORY: Required<MemoryOptions> = { ...DEFAULTS, maxEntries: 1, maxBytes: 0 };

/** Returns the checked options with every default filled in; `maxBytes` is 0 for `l1: false`. */
export function memorySettings(path: string, options: MemoryOptions | false = {}): Required<MemoryOptions> {
  if (options === false) return NO_MEMORY;
  assertObject(path, options);
  assertKnownOptions(path, options, ['maxEntries', 'maxBytes', 'eviction']);
  const { maxEntries = DEFAULTS.maxEntries, maxBytes = DEFAULTS.maxBytes, eviction = DEFAULTS.eviction } = options;
  // A `Map` holds about 16.7 million entries at most.
  assertInteger(`${path}.maxEntries`, maxEntries, { min: 1, max: 16_000_000 });
  assertNumber(`${path}.maxBytes`, maxBytes, { above: 0, infinite: true });
  if (maxBytes !== Infinity) assertInteger(`${path}.maxBytes`, maxBytes);
  assertOneOf(`${path}.eviction`, eviction, ['lru', 's3-fifo']);
  return { maxEntries, maxBytes, eviction };
}
