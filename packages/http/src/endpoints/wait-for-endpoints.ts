import type { Clock } from '@macadam/core';
import { timeout, type ExecuteOptions } from '@macadam/resilience';
import { callersFailure } from '../callers-failure.ts';

/**
 * Waits for the first list of endpoints, within the timeout of the call and until its caller cancels it. Resolves to the
 * execute options with the time that is left.
 */
export async function waitForEndpoints(
  list: Promise<void>,
  execution: ExecuteOptions,
  defaultTimeoutMs: number,
  clock: Clock,
): Promise<ExecuteOptions> {
  const startedAt = clock.monotonic();
  const timeoutMs = execution.timeoutMs ?? defaultTimeoutMs;
  const fail = (error: unknown): never => {
    throw callersFailure('endpoints', error);
  };
  await timeout({ timeoutMs, clock }).execute(() => list.catch(fail), execution);
  const leftMs = timeoutMs - (clock.monotonic() - startedAt);
  // Never 0, which is no valid timeout: the call itself then times out, with its own error.
  return { ...execution, timeoutMs: Math.max(leftMs, Number.MIN_VALUE) };
}
