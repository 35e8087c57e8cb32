import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimerHeap, type HeapEntry } from './timer-heap.ts';

test('returns its entries in order after any additions and removals', () => {
  const step = fc.record({ dueMs: fc.nat(1_000), removeAt: fc.option(fc.nat(200), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      const heap = new TimerHeap<HeapEntry>();
      const all: HeapEntry[] = [];
      const inside = new Set<HeapEntry>();
      for (const [order, { dueMs, removeAt }] of steps.entries()) {
        const entry: HeapEntry = { dueMs, order, place: -1 };
        heap.add(entry);
        all.push(entry);
        inside.add(entry);
        const victim = removeAt === undefined ? undefined : all[removeAt];
        if (victim !== undefined) expect(heap.remove(victim)).toBe(inside.delete(victim));
        expect(heap.size).toBe(inside.size);
      }
      const expected = [...inside].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
      expect(heap.sorted()).toEqual(expected);
      const drained: HeapEntry[] = [];
      for (let first = heap.first; first !== undefined; first = heap.first) {
        drained.push(first);
        heap.remove(first);
      }
      expect(drained).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
