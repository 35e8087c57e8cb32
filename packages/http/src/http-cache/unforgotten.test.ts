import { expect, test } from 'vitest';
import { Unforgotten } from './unforgotten.ts';

test('of more keys than are told apart, the first count for all', () => {
  const unforgotten = new Unforgotten();
  for (let i = 0; i <= 1_000; i++) unforgotten.add(`key ${i}`, i);
  expect(['key 0', 'key 1', 'key 1000', 'another'].map((key) => unforgotten.endedAt(key))).toEqual([0, 1, 1_000, 0]);
});

test('what has ended anew is not done when what ended before is', () => {
  const unforgotten = new Unforgotten();
  const [first, second] = [unforgotten.add('a', 1), unforgotten.add('a', 2)];
  unforgotten.done('a', first);
  expect(unforgotten.endedAt('a')).toBe(2);
  unforgotten.done('a', second);
  expect(unforgotten.endedAt('a')).toBe(-Infinity);
});

test('owed is what failed and is not being put', () => {
  const unforgotten = new Unforgotten();
  unforgotten.add('under way', 1);
  for (const key of ['being put', 'b']) unforgotten.add(key, 1).isOwed = true;
  expect(unforgotten.firstOwed((key) => key !== 'being put')?.[0]).toBe('b');
});
