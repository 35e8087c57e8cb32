import { systemClock } from '@macadam/core';
import type { VirtualClock } from '@macadam/testkit';

/**
 * Lets time pass as on the wall until something is done, but at most 5 ms between two turns of the event loop, in which what came over
 * the sockets is dealt with: a machine that is busy with something else makes a run longer, and not what is measured in it.
 */
export async function passTime(clock: VirtualClock, isDone: () => boolean): Promise<void> {
  for (let last = systemClock.monotonic(); !isDone();) {
    await systemClock.sleep(1);
    const now = systemClock.monotonic();
    await clock.advance(Math.min(5, now - last));
    last = now;
  }
}
