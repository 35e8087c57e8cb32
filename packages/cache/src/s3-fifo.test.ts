import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { S3Fifo } from './s3-fifo.ts';

const of = (max: number, maxSize = Infinity): S3Fifo<string> => new S3Fifo({ max, maxSize });
const put = (map: S3Fifo<string>, ...keys: string[]): void => {
  for (const key of keys) map.set(key, `value of ${key}`, { size: 1 });
};
const many = (count: number, prefix = 'once'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('S3-FIFO', () => {
  it('keeps values that were read again through any number of keys that are read once', () => {
    const map = of(100);
    const wanted = many(50, 'wanted');
    put(map, ...wanted);
    for (const key of wanted) map.get(key);
    put(map, ...many(10_000));
    expect(wanted.filter((key) => map.peek(key) === undefined)).toEqual([]);
    expect(map.size).toBe(100);
  });

  it('peek does not count as a use', () => {
    const map = of(10);
    put(map, 'looked at', 'used');
    map.peek('looked at');
    map.get('used');
    put(map, ...many(20));
    expect(map.peek('looked at')).toBeUndefined();
    expect(map.peek('used')).toBeDefined();
  });

  it('a key that returns while it is in the ghost queue goes to the main queue', () => {
    const map = of(10);
    put(map, 'early', ...many(12));
    expect(map.peek('early')).toBeUndefined();
    put(map, 'early', ...many(9, 'more'));
    expect(map.peek('early')).toBeDefined();
    put(map, ...many(100, 'other'));
    put(map, 'once0', ...many(9, 'last'));
    // It was evicted too long ago to be in the ghost queue.
    expect(map.peek('once0')).toBeUndefined();
  });

  it('evicts values from the main queue when they are not read any more', () => {
    const map = of(10);
    const former = many(10, 'former');
    put(map, ...former);
    for (let i = 0; i < 5; i++) former.map((key) => map.get(key));
    for (let i = 0; i < 20; i++) {
      put(map, `new${i}`);
      map.get(`new${i}`);
    }
    for (let i = 20; i < 60; i++) put(map, `new${i % 40}`, `new${i % 40}`);
    expect(former.filter((key) => map.peek(key) !== undefined)).toEqual([]);
  });

  it('a value that is replaced stays in its queue, and is not evicted by its own replacement', () => {
    const map = of(3, 10);
    map.set('a', 'first', { size: 3 });
    map.set('b', 'other', { size: 3 });
    map.set('a', 'second', { size: 10 });
    expect([map.peek('a'), map.peek('b'), map.size, map.calculatedSize]).toEqual(['second', undefined, 1, 10]);
  });

  it('behaves like a map within its bounds', () => {
    const keys = fc.constantFrom(...'abcdefghijklmnop');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), key: keys, size: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constantFrom('get' as const, 'delete' as const), key: keys, size: fc.constant(0) }),
      fc.record({
        kind: fc.constantFrom(...Array<'get'>(30).fill('get'), 'clear' as const),
        key: keys,
        size: fc.constant(0),
      }),
    );
    const law = fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 20, max: 60 }),
      fc.array(step, { maxLength: 200 }),
      (max, maxSize, steps) => {
        const map = of(max, maxSize);
        const model = new Map<string, { value: string; size: number }>();
        for (const [i, { kind, key, size }] of steps.entries()) {
          if (kind === 'set') {
            map.set(key, `${i}`, { size });
            model.set(key, { value: `${i}`, size });
            expect(map.peek(key)).toBe(`${i}`);
          } else if (kind === 'delete') {
            map.delete(key);
            model.delete(key);
          } else if (kind === 'clear') {
            map.clear();
            model.clear();
          } else expect([undefined, model.get(key)?.value]).toContain(map.get(key));
          for (const known of model.keys()) if (map.peek(known) === undefined) model.delete(known);
          let sum = 0;
          for (const entry of model.values()) sum += entry.size;
          expect([map.size, map.calculatedSize]).toEqual([model.size, sum]);
          expect([...map.values()].sort()).toEqual([...model.values()].map(({ value }) => value).sort());
          expect(map.size <= max && map.calculatedSize <= maxSize).toBe(true);
        }
      },
    );
    fc.assert(law);
  });
});
