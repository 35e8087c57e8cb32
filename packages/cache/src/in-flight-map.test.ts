import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlightMap } from './in-flight-map.ts';

/** Adds and removes kilobytes in flight while young objects are collected. Returns how many bytes of them remain. */
function leftBehind(table: { set(key: string, value: unknown): unknown; delete(key: string): unknown }): number {
  const collectYoung = (): void => (globalThis.gc as (options: { type: 'minor' }) => void)({ type: 'minor' });
  const turnOver = (times: number): void => {
    for (let i = 0; i < times; i++) {
      table.set(`${i}`, new Array(128).fill(i));
      table.delete(`${i - 64}`);
      if (i % 1_000 === 999) collectYoung();
    }
    for (let i = times - 64; i < times; i++) table.delete(`${i}`);
  };
  turnOver(5_000);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  turnOver(20_000);
  collectYoung();
  collectYoung();
  return process.memoryUsage().heapUsed - before;
}

describe('InFlightMap', () => {
  it('contains what was set and not deleted, however many keys are added and removed', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 400 }).map(String),
      how: fc.constantFrom('set', 'delete', 'clear'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 0, maxLength: 2_000, size: 'max' }), (steps) => {
        const [mine, map] = [new InFlightMap<number>(), new Map<string, number>()];
        for (const [i, { key, how }] of steps.entries()) {
          if (how === 'set') for (const table of [mine, map]) table.set(key, i);
          else if (how === 'delete') for (const table of [mine, map]) table.delete(key);
          else if (i % 100 === 0) for (const table of [mine, map]) table.clear();
          expect(mine.get(key)).toBe(map.get(key));
          expect(mine.size).toBe(map.size);
        }
        expect(mine.values()).toEqual([...map.values()]);
      }),
      { numRuns: 20 },
    );
  });

  it('releases values to the young-generation collector, unlike a plain Map', () => {
    expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
    expect(leftBehind(new InFlightMap())).toBeLessThan(4_000_000);
    // The premise of InFlightMap. If this fails, V8 has improved and a plain Map is sufficient.
    expect(leftBehind(new Map())).toBeGreaterThan(10_000_000);
  });
});
