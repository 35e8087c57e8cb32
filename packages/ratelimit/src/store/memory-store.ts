import {
  assertClock,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  type Clock,
  type Random,
} from '@macadam/core';
import { MemoryTable } from './memory-table.ts';
import type { RateLimitStore } from './store.ts';

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /**
   * Maximum number of keys for each limiter that uses the store, 1 to 10 000 000. While it is full and no key can be
   * evicted, new keys share 256 states, which `reset` leaves as they are, and whose permits may only end by expiry
   * (`overflows` in the statistics). Default: 100 000.
   */
  maxKeys?: number;
  /** Source of time. Default: the clock of the limiter. */
  clock?: Clock;
  /** Source of randomness, for the ids of permits. Default: that of the limiter. */
  random?: Random;
}

/**
 * Creates a store that keeps limits in this process. Bounded, without a timer; 64 bytes per key for a token bucket
 * (plus the key).
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createRateLimiter, memoryStore, tokenBucket } from '@macadam/ratelimit';
 *
 * const logins = createRateLimiter({
 *   name: 'logins',
 *   limits: [tokenBucket({ limit: 5, periodMs: 60_000 })],
 *   store: memoryStore({ maxKeys: 1_000_000 }),
 * });
 * if (!logins.tryTake('ann').allowed) throw new Error('the first of five');
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): RateLimitStore {
  assertObject('memoryStore', options);
  assertKnownOptions('memoryStore', options, ['maxKeys', 'clock', 'random']);
  const { maxKeys = 100_000, clock, random } = options;
  assertInteger('memoryStore.maxKeys', maxKeys, { min: 1, max: 10_000_000 });
  if (clock !== undefined) assertClock('memoryStore.clock', clock);
  if (random !== undefined) assertFunction('memoryStore.random', random);
  return {
    kind: 'memory',
    open: (table) =>
      new MemoryTable({ ...table, clock: clock ?? table.clock, random: random ?? table.random }, maxKeys),
    describe: () => `memory, ${maxKeys} keys at most`,
    close: async () => {},
  };
}
