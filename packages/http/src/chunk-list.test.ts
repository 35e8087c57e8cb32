import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkList } from './chunk-list.ts';

test('gives all bytes in their order, whatever the sizes of the chunks', () => {
  const size = fc.oneof(fc.nat(3), fc.integer({ min: 1_020, max: 1_030 }), fc.integer({ min: 4_000, max: 5_000 }));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
      const list = new ChunkList();
      const all: Buffer[] = sizes.map((length, i) => Buffer.alloc(length, i + 1));
      for (const chunk of all) list.add(chunk);
      const whole = Buffer.concat(all);
      expect(whole.equals(list.concat(whole.length))).toBe(true);
    }),
  );
});

test.each([
  ['single bytes', [1]],
  ['a single byte after each larger chunk', [1_024, 1]],
])('takes little more memory than the bytes themselves: %s', (_what, sizes) => {
  const total = 2_000_000;
  const memory = (): number => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = memory();
  const list = new ChunkList();
  for (let size = 0, i = 0; size < total; i++) {
    const length = sizes[i % sizes.length] as number;
    list.add(new Uint8Array(length));
    size += length;
  }
  expect(memory() - before).toBeLessThan(2 * total);
  expect(list.concat(total)).toHaveLength(total);
});
