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

export interface MemoryStoreOptions {
  /** The most keys kept for each limiter that uses the store, at least 1. Default: 100 000. */
  maxKeys?: number;
  /** Default: the limiter's. */
  clock?: Clock;
  /** Names permits. Default: the limiter's. */
  random?: Random;
}

/**
 * Keeps limits in this process. Bounded, without a timer, and 64 bytes a key for a token bucket (its text not counted).
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
