import { expect, test, vi } from 'vitest';
import { workerPool } from '../src/worker-pool.ts';

test('runs as many requests at a time as there are workers, in order of arrival', async () => {
  vi.useFakeTimers();
  const runOnWorker = workerPool(2, 10);
  const done: number[] = [];
  const all = Promise.all([1, 2, 3, 4, 5].map((i) => runOnWorker(() => done.push(i))));
  await vi.advanceTimersByTimeAsync(10);
  expect(done).toEqual([1, 2]);
  await vi.advanceTimersByTimeAsync(10);
  expect(done).toEqual([1, 2, 3, 4]);
  await vi.advanceTimersByTimeAsync(10);
  await all;
  expect(done).toEqual([1, 2, 3, 4, 5]);
  const next = runOnWorker(() => 'next');
  await vi.advanceTimersByTimeAsync(10);
  expect(await next).toBe('next');
  vi.useRealTimers();
});
