import { currentWork, runWork, type Clock } from '@macadam/core';
import type { PreparedRequest } from './request.ts';
import type { HttpResponse } from './response.ts';

/** Whether both a signal of its own and the current work can cancel a call. */
export function hasTwoSignals({ execution, work }: PreparedRequest): boolean {
  return execution.signal !== undefined && work?.cancellation !== undefined;
}

/**
 * Makes a call as nested work, which joins its two signals without leaking listeners, so that all that waits for the call has a
 * single signal to heed.
 */
export function withJoinedSignals(
  request: PreparedRequest,
  clock: Clock,
  call: (request: PreparedRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const { signal, ...execution } = request.execution;
  return runWork({ ...(signal && { signal }), clock }, () => call({ ...request, execution, work: currentWork() }));
}
