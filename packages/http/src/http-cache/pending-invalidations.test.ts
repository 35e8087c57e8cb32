import { expect, test } from 'vitest';
import { PendingInvalidations } from './pending-invalidations.ts';

test('beyond 1 000 keys, the time of the oldest invalidation counts for every key', () => {
  const pending = new PendingInvalidations();
  for (let i = 0; i <= 1_000; i++) pending.add(`key ${i}`, i);
  expect(['key 0', 'key 1', 'key 1000', 'another'].map((key) => pending.invalidatedAtMs(key))).toEqual([
    0, 1, 1_000, 0,
  ]);
});

test('settling an invalidation does not settle a later one of the same key', () => {
  const pending = new PendingInvalidations();
  const [first, second] = [pending.add('a', 1), pending.add('a', 2)];
  pending.settle('a', first);
  expect(pending.invalidatedAtMs('a')).toBe(2);
  pending.settle('a', second);
  expect(pending.invalidatedAtMs('a')).toBe(-Infinity);
});

test('retries an invalidation that failed and whose key is ready', () => {
  const pending = new PendingInvalidations();
  pending.add('not failed', 1);
  for (const key of ['being written', 'b']) pending.add(key, 1).needsRetry = true;
  expect(pending.firstToRetry((key) => key !== 'being written')?.[0]).toBe('b');
});
