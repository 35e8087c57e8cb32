import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { tokenBucket } from '../algorithms/token-bucket.ts';
import { createRateLimiter } from '../create-rate-limiter.ts';
import { memoryStore } from './memory-store.ts';

describe('blocked keys', () => {
  it('are bounded: expired blocks are removed first, then the oldest', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter({
      name: 'blocks',
      limits: [tokenBucket({ limit: 10, periodMs: 1_000 })],
      store: memoryStore({ maxKeys: 3 }),
      clock,
    });
    for (const [key, durationMs] of [
      ['a', 100],
      ['b', 10_000],
      ['c', 10_000],
    ] as const)
      await limiter.block(key, durationMs);
    // Looking at a key does not make it a younger one.
    expect(limiter.tryTake('b').allowed).toBe(false);
    await clock.advance(200);
    await limiter.block('d', 10_000);
    expect(limiter.stats()['blockedKeys']).toBe(3);
    expect(['a', 'b', 'c', 'd'].map((key) => limiter.tryTake(key).allowed)).toEqual([true, false, false, false]);
    await limiter.block('e', 10_000);
    expect(['b', 'c', 'd', 'e'].map((key) => limiter.tryTake(key).allowed)).toEqual([true, false, false, false]);
    // Who is blocked anew is the youngest.
    await limiter.block('c', 10_000);
    await limiter.block('f', 10_000);
    expect(['c', 'd', 'e', 'f'].map((key) => limiter.tryTake(key).allowed)).toEqual([false, true, false, false]);
  });
});
