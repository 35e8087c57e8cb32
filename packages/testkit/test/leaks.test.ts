import { runScript } from '@macadam/test-support/processes';
import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';

test('a server and a proxy that are closed leave no socket, no listener and no timer', async () => {
  const program = `${import.meta.dirname}/fixtures/open-and-close.ts`;
  // It ends by itself, too: with a handle left it would run until the limit, and fail.
  expect(JSON.parse(await runScript(program, { timeoutMs: 15_000 }))).toEqual([]);
});

test('a clock that is driven hard keeps nothing', async () => {
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
  // A cancelled timer that stayed would cost some 150 bytes: 7 MB in all.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  clock.assertNoTimers();
});
