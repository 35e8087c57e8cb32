import { isTimeLimitError } from './errors.ts';
import type { PreparedRequest } from './request.ts';

/**
 * Whether `failure` is what the call was cancelled with, by its own signal or by the current work. Its caller gets it as it is: it
 * may be any value, also the error of another call. False for a time limit, such as the deadline of the work, which the error of
 * this call reports.
 */
export function isCancelReason(failure: unknown, { execution, work }: PreparedRequest): boolean {
  if (isTimeLimitError(failure)) return false;
  return isReasonOf(execution.signal, failure) || isReasonOf(work?.cancellation, failure);
}

function isReasonOf(signal: AbortSignal | undefined, failure: unknown): boolean {
  return signal?.aborted === true && signal.reason === failure;
}
