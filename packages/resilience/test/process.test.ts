import { join } from 'node:path';
import { circuitBreaker, failureRate } from '@macadam/resilience';
import { runScript } from '@macadam/test-support/processes';
import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';

test('AC30: undici #3975: a pending retry keeps the process alive, and nothing does once the call has settled', async () => {
  const script = join(import.meta.dirname, 'process', 'waits-and-ends.ts');
  // The time limits are a minute: a process that one of them kept alive would be ended by the guard, with an error.
  expect(await runScript(script)).toBe('answered by try 3');
});

test('D7: opossum: the cost of a failure does not grow with the calls in the window', async () => {
  let read = 0;
  const clock = virtualClock();
  const counting = Object.assign(virtualClock(), { monotonic: () => (read++, clock.monotonic()) });
  const breaker = circuitBreaker({ trip: [failureRate({ ratio: 1 })], clock: counting });
  const costOfFailure = async (): Promise<{ reads: number; bytes: number }> => {
    globalThis.gc?.();
    const [reads, bytes] = [read, process.memoryUsage().heapUsed];
    for (let i = 0; i < 10; i++) await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {});
    return { reads: read - reads, bytes: process.memoryUsage().heapUsed - bytes };
  };
  await breaker.execute(() => 'well');
  const few = await costOfFailure();
  for (let i = 0; i < 200_000; i++) await breaker.execute(() => 'well');
  const many = await costOfFailure();
  expect(many.reads).toBe(few.reads);
  // Copying the durations of the window, as the row says, would take megabytes for each failure.
  expect(many.bytes).toBeLessThan(few.bytes + 500_000);
});
