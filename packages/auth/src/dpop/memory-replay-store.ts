import type { Clock } from '@macadam/core';
import type { SeenBefore } from '../replay.ts';

/**
 * Remembers ids in the memory of this process. A full store drops the oldest id even if it has not expired: only the holder
 * of a bound token and its key can add ids, and could then replay nothing but their own requests.
 */
export function memoryReplayStore(clock: Clock, maxEntries: number): SeenBefore {
  const expiryById = new Map<string, number>();
  return (id, keepMs) => {
    const now = clock.monotonic();
    const expiresAt = expiryById.get(id);
    if (expiresAt !== undefined && now < expiresAt) return true;
    expiryById.delete(id);
    expiryById.set(id, now + keepMs);
    // All ids are kept for the same time, so the oldest expires first.
    for (const [oldId, entryExpiresAt] of expiryById) {
      if (now < entryExpiresAt && expiryById.size <= maxEntries) break;
      expiryById.delete(oldId);
    }
    return false;
  };
}
