import { isMacadamError, timeoutOf } from '@macadam/core';
import { wasCutShort } from '../timeout.ts';
import type { Verdict } from './state.ts';

/** Refusals on this side and mistakes of the caller: they say nothing about the dependency. */
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

/** What a failure says of the dependency when the breaker was not told otherwise. */
export function classifyError(error: unknown): Verdict {
  if (isMacadamError(error)) return NEUTRAL_CODES.has(error.code) ? 'neutral' : 'failure';
  return isAbort(error) ? 'neutral' : 'failure';
}

/** Whether a call was given up by whoever made it, and not for being out of time. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError' && timeoutOf(error) === undefined;
}

/** A call that was stopped from outside: out of time speaks against the dependency, a caller who left does not. */
export function classifyCancellation(reason: unknown): Verdict {
  return isMacadamError(reason, 'MAC_TIMEOUT') && !wasCutShort(reason) ? 'failure' : 'neutral';
}

/** Long enough for the request and what became of it. */
const LONGEST = 300;

/** What a failure was, fit to be told to other callers: a message that is not ours may repeat what its caller sent. */
export function failureInWords(error: unknown): string {
  try {
    if (isMacadamError(error, 'MAC_ATTEMPTS_EXHAUSTED')) return failureInWords(error.cause);
    if (isMacadamError(error)) return error.message.slice(0, LONGEST);
    if (!(error instanceof Error)) return error === undefined ? 'an unwanted result' : `a thrown ${typeof error}`;
    const { code } = error as NodeJS.ErrnoException;
    return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : error.name.slice(0, 64);
  } catch {
    return 'an error that does not say what it is';
  }
}
