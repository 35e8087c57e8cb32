import { runScript } from '@macadam/test-support/processes';
import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';

test('a closed fault server and fault proxy leave no socket, listener or timer', async () => {
  const program = `${import.meta.dirname}/fixtures/open-and-close.ts`;
  // With a handle left, the program would not end, and the timeout would fail the test.
  expect(JSON.parse(await runScript(program, { timeoutMs: 60_000 }))).toEqual([]);
}, 70_000);

test('a virtual clock retains no memory after many timers', async () => {
  const clock = virtualClock();
  const controller = new AbortController();
  const drive = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const timeout = clock.setTimer(() => {}, 30_000);
      await clock.sleep(1, controller.signal);
      timeout.cancel();
    }
  };
  await clock.runUntil(drive(5_000));
  gc!();
  const before = process.memoryUsage().heapUsed;
  await clock.runUntil(drive(50_000));
  gc!();
  // Each retained timer would cost about 150 bytes, 7 MB in all.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  clock.assertNoTimers();
});
