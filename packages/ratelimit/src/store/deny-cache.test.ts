import { describe, expect, it } from 'vitest';
import { tokenBucket } from '../algorithms/token-bucket.ts';
import { draftDecision } from './combine-decisions.ts';
import { DenyCache } from './deny-cache.ts';

const denial = (retryAfterMs: number) => ({
  ...draftDecision(tokenBucket({ limit: 1, periodMs: 1 }), 'store', 0),
  retryAfterMs,
});

describe('DenyCache', () => {
  it('rate-limiter-flexible #152: keeps at most maxKeys denials, and evicts without iterating over all', () => {
    const denials = new DenyCache(1_000);
    const iterated = countIterations(() => {
      for (let i = 0; i < 100_000; i++) denials.add(`key ${i}`, 1, denial(500), 0, 0);
    });
    const known = Array.from({ length: 100_000 }, (_, i) => denials.get(`key ${i}`, 1, 10)).filter(Boolean);
    expect(known).toHaveLength(1_000);
    expect(denials.get('key 99999', 1, 10)).toMatchObject({ source: 'denyCache', retryAfterMs: 490 });
    expect(iterated).toBeLessThanOrEqual(99_000);
  });

  it('repeats a denial for the same cost until a retry could be allowed, and for at most a second', () => {
    const denials = new DenyCache(10);
    denials.add('a', 2, denial(5_000), 0, 0);
    expect(denials.get('a', 1, 1)).toBeUndefined();
    // It is denied for certain, but has to wait longer.
    expect(denials.get('a', 3, 1)).toBeUndefined();
    expect(denials.get('a', 2, 1)).toMatchObject({ retryAfterMs: 4_999 });
    expect(denials.get('a', 2, 1_001)).toBeUndefined();
    denials.add('a', 1, denial(100), 0, 0);
    expect(denials.get('a', 1, 100)).toBeUndefined();
    denials.add('a', 1, denial(Infinity), 0, 0);
    expect(denials.get('a', 1, 1)).toBeUndefined();
    denials.add('a', 1, denial(100), 0, 0);
    denials.clear();
    expect(denials.get('a', 1, 1)).toBeUndefined();
  });

  it('ignores the denials of requests from before an update of their key', () => {
    const denials = new DenyCache(10);
    denials.add('a', 1, denial(500), 0, 1);
    denials.outdate('a', 10);
    expect(denials.get('a', 1, 10)).toBeUndefined();
    denials.add('a', 1, denial(500), 9, 12);
    denials.add('b', 1, denial(500), 9, 12);
    expect([denials.get('a', 1, 12), denials.get('b', 1, 12)?.source]).toEqual([undefined, 'denyCache']);
    denials.add('a', 1, denial(500), 11, 13);
    expect(denials.get('a', 1, 13)).toMatchObject({ source: 'denyCache' });
  });

  it('redis-cell #56: counts retryAfterMs from the response, and the validity of the denial from the request', () => {
    const denials = new DenyCache(10);
    denials.add('a', 1, denial(100), 1_000, 1_008);
    expect(denials.get('a', 1, 1_050)).toMatchObject({ retryAfterMs: 58 });
    // Decided at 1,000 at the earliest: it might be over now. The store knows.
    expect(denials.get('a', 1, 1_100)).toBeUndefined();
  });
});

/** How many keys of maps are looked at one after the other while `run` runs. */
function countIterations(run: () => void): number {
  const iterator = Object.getPrototypeOf(new Map().keys()) as { next: () => unknown };
  const { next } = iterator;
  let count = 0;
  iterator.next = function (this: unknown) {
    count++;
    return next.call(this);
  };
  try {
    run();
  } finally {
    iterator.next = next;
  }
  return count;
}
