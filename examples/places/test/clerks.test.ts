import { expect, test, vi } from 'vitest';
import { clerks } from '../src/clerks.ts';

test('as many at a time as there are clerks, in the order they came', async () => {
  vi.useFakeTimers();
  const served = clerks(2, 10);
  const done: number[] = [];
  const all = Promise.all([1, 2, 3, 4, 5].map((i) => served(() => done.push(i))));
  await vi.advanceTimersByTimeAsync(10);
  expect(done).toEqual([1, 2]);
  await vi.advanceTimersByTimeAsync(10);
  expect(done).toEqual([1, 2, 3, 4]);
  await vi.advanceTimersByTimeAsync(10);
  await all;
  expect(done).toEqual([1, 2, 3, 4, 5]);
  const next = served(() => 'next');
  await vi.advanceTimersByTimeAsync(10);
  expect(await next).toBe('next');
  vi.useRealTimers();
});
