import { type Clock, RecencyMap } from '@macadam/core';
import type { SeenBefore } from '../replay.ts';

/**
 * Remembers ids in the memory of this process. A full store drops the oldest id even if it has not expired. Only holders of
 * a bound token and its key can add ids, each by a request of their own; a larger store can be given as `seen`.
 */
export function memoryReplayStore(clock: Clock, maxEntries: number): SeenBefore {
  const expiryById = new RecencyMap<string, number>();
  return (id, keepMs) => {
    const now = clock.monotonic();
    const expiresAt = expiryById.peek(id);
    if (expiresAt !== undefined && now < expiresAt) return true;
    expiryById.set(id, now + keepMs);
    // All ids are kept for the same time, so the oldest expires first.
    for (let oldest = expiryById.oldest(); oldest !== undefined; oldest = expiryById.oldest()) {
      if (now < oldest[1] && expiryById.size <= maxEntries) break;
      expiryById.deleteOldest();
    }
    return false;
  };
}
