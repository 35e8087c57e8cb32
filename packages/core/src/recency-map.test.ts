import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecencyMap } from './recency-map.ts';

/** The model: a plain Map that is reordered at each use, which takes time. */
class Model {
  readonly entries = new Map<number, number>();

  get(key: number): number | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: number, value: number): void {
    this.entries.delete(key);
    this.entries.set(key, value);
  }
}

const key = fc.integer({ min: 0, max: 8 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.integer() }),
  fc.record({ kind: fc.constantFrom('get' as const, 'peek' as const, 'delete' as const), key }),
  fc.record({ kind: fc.constantFrom('deleteOldest' as const, 'clear' as const) }),
);

describe('RecencyMap', () => {
  test('behaves like a plain Map that is reordered at each use, for any sequence of steps', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = new RecencyMap<number, number>();
        const model = new Model();
        for (const one of steps) {
          if (one.kind === 'set') {
            map.set(one.key, one.value);
            model.set(one.key, one.value);
          } else if (one.kind === 'get') expect(map.get(one.key)).toBe(model.get(one.key));
          else if (one.kind === 'peek') expect(map.peek(one.key)).toBe(model.entries.get(one.key));
          else if (one.kind === 'delete') expect(map.delete(one.key)).toBe(model.entries.delete(one.key));
          else if (one.kind === 'clear') {
            map.clear();
            model.entries.clear();
          } else {
            const [oldest] = model.entries;
            expect(map.deleteOldest()).toEqual(oldest);
            if (oldest !== undefined) model.entries.delete(oldest[0]);
          }
          expect([...map]).toEqual([...model.entries]);
          expect(map.size).toBe(model.entries.size);
          expect(map.oldest()).toEqual([...model.entries][0]);
        }
      }),
    );
  });

  test('allows the visited entry to be deleted during iteration', () => {
    const map = new RecencyMap<string, number>();
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) map.set(name, i);
    const seen: string[] = [];
    for (const [name] of map) {
      seen.push(name);
      map.delete(name);
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(map.size).toBe(0);
  });
});
