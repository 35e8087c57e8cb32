import type { Clock } from '@macadam/core';
import type { SeenBefore } from '../replay.ts';

/**
 * Remembers ids within this process, as long as they matter. Full of ids that still matter, it forgets the oldest: only
 * who holds a bound token and its key gets an id in here, and can then replay no one's requests but his own.
 */
export function replayMemory(clock: Clock, maxEntries: number): SeenBefore {
  const until = new Map<string, number>();
  return (id, keepMs) => {
    const now = clock.monotonic();
    const known = until.get(id);
    if (known !== undefined && now < known) return true;
    until.delete(id);
    until.set(id, now + keepMs);
    // All are kept for the same time, so the oldest end first.
    for (const [old, end] of until) {
      if (now < end && until.size <= maxEntries) break;
      until.delete(old);
    }
    return false;
  };
}
