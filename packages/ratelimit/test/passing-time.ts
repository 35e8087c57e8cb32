import { systemClock } from '@macadam/core';
import type { VirtualClock } from '@macadam/testkit';

/**
 * Advances the virtual clock with real time until `isDone`, by at most 5 ms per turn of the event loop, so that sockets are handled in
 * between: on a busy machine the test takes longer, but measures the same times.
 */
export async function passTime(clock: VirtualClock, isDone: () => boolean): Promise<void> {
  for (let last = systemClock.monotonic(); !isDone();) {
    await systemClock.sleep(1);
    const now = systemClock.monotonic();
    await clock.advance(Math.min(5, now - last));
    last = now;
  }
}
