import type { Clock } from '@macadam/core';
import { timeout, type ExecuteOptions } from '@macadam/resilience';

/**
 * Waits for the first list of endpoints, as long as the call may take and its caller waits; gives what is left to the
 * call then.
 */
export async function endpointsWithin(
  list: Promise<void>,
  execution: ExecuteOptions,
  usualMs: number,
  clock: Clock,
): Promise<ExecuteOptions> {
  const beganAt = clock.monotonic();
  const timeoutMs = execution.timeoutMs ?? usualMs;
  await timeout({ timeoutMs, clock }).execute(() => list, execution);
  const leftMs = timeoutMs - (clock.monotonic() - beganAt);
  // Never none: that the time is over is for the time limit of the call to say.
  return { ...execution, timeoutMs: Math.max(leftMs, Number.MIN_VALUE) };
}
