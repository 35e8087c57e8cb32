import { isMacadamError, timeoutOf } from '@macadam/core';
import type { Call } from '../call.ts';
import type { Verdict } from './state.ts';

/** Rejections by this process and mistakes of the caller: they say nothing about the dependency. */
const NEUTRAL_CODES: ReadonlySet<string> = new Set([
  'MAC_ABORTED',
  'MAC_BULKHEAD_FULL',
  'MAC_CIRCUIT_OPEN',
  'MAC_CLOSED',
  'MAC_CONCURRENCY_LIMITED',
  'MAC_INVALID_OPTIONS',
  'MAC_OVERLOADED',
  'MAC_RATE_LIMITED',
]);

/** The default verdict on a failure. */
export function classifyError(error: unknown): Verdict {
  if (isMacadamError(error)) return NEUTRAL_CODES.has(error.code) ? 'neutral' : 'failure';
  return isAbort(error) ? 'neutral' : 'failure';
}

/** Whether the caller aborted, and not because of a timeout. False for an error that cannot be read. */
export function isAbort(error: unknown): boolean {
  try {
    return error instanceof Error && error.name === 'AbortError' && timeoutOf(error) === undefined;
  } catch {
    return false;
  }
}

/** The verdict on a call that was cancelled from outside: a timeout counts against the dependency, unless cut short; an abort does not. */
export function classifyCancellation(reason: unknown, call: Call): Verdict {
  return isMacadamError(reason, 'MAC_TIMEOUT') && call.cutShort !== reason ? 'failure' : 'neutral';
}

/** Long enough for the request line and its outcome. */
const MAX_LENGTH = 300;

/** Describes a failure to other callers. Messages of other errors are left out, since they may repeat what a caller sent. */
export function describeFailure(error: unknown): string {
  try {
    if (isMacadamError(error, 'MAC_ATTEMPTS_EXHAUSTED')) return describeFailure(error.cause);
    if (isMacadamError(error)) return error.message.slice(0, MAX_LENGTH);
    if (!(error instanceof Error)) return error === undefined ? 'an unwanted result' : `a thrown ${typeof error}`;
    const { code } = error as NodeJS.ErrnoException;
    return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : error.name.slice(0, 64);
  } catch {
    return 'an error that cannot be read';
  }
}
