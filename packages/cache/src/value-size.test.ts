import { describe, expect, it } from 'vitest';
import { createCache } from '@macadam/cache';
import { approximateBytes } from './value-size.ts';

describe('approximateBytes', () => {
  it('is a whole number, even for a long array that is only sampled', async () => {
    const uneven = Array.from({ length: 301 }, (_, i) => 'x'.repeat(i % 7));
    const cache = createCache<unknown>({ name: 'sizes' });
    for (const value of [uneven, new Map(uneven.entries()), new Set(uneven), Object.fromEntries(uneven.entries())]) {
      expect(Number.isInteger(approximateBytes(value))).toBe(true);
      await cache.set('a', value);
      expect(cache.peek('a')).toBe(value);
    }
    expect(await cache.getOrLoad('b', () => uneven)).toBe(uneven);
    expect(cache.stats().entries).toBe(2);
  });

  it('grows with the content of a value, and terminates for cyclic values', () => {
    const cycle: unknown[] = [1];
    cycle.push(cycle);
    expect(approximateBytes(cycle)).toBeLessThan(200);
    expect(approximateBytes('x'.repeat(1_000))).toBeGreaterThan(1_000);
    expect(approximateBytes(new Uint8Array(5_000))).toBeGreaterThan(5_000);
    const rows = (count: number): unknown => Array.from({ length: count }, () => ({ text: 'x'.repeat(100) }));
    expect(approximateBytes(rows(10_000)) / approximateBytes(rows(100))).toBeCloseTo(100, -1);
    const heavyTail = [...new Array<number>(100).fill(1), ...new Array<string>(50).fill('x'.repeat(10_000))];
    expect(approximateBytes(heavyTail)).toBeGreaterThan(500_000);
    expect(approximateBytes(Array.from({ length: 5_000 }, () => [[[['deep']]]]))).toBeGreaterThan(100_000);
  });

  it('counts buffers even after the object limit, so that the memory bound holds', () => {
    const grid = Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => ({ x: 1 })));
    expect(approximateBytes({ grid, picture: new Uint8Array(1_000_000) })).toBeGreaterThan(1_000_000);
  });

  it('counts the whole buffer for a view of a large buffer, but not for a view of the shared pool', () => {
    const large = Buffer.alloc(1_000_000);
    expect(approximateBytes(large.subarray(0, 10))).toBeGreaterThan(1_000_000);
    expect(approximateBytes({ head: large.subarray(0, 10), body: large.subarray(10) })).toBeLessThan(1_001_000);
    expect(approximateBytes([new DataView(large.buffer, 0, 1), large.buffer])).toBeLessThan(1_001_000);
    expect(approximateBytes(Buffer.from('small'))).toBeLessThan(200);
  });
});
