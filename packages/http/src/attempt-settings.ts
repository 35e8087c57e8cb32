import type { Clock } from '@macadam/core';
import type { DecodedLimits } from './content-decoding.ts';
import type { RawHeaders } from './dispatcher.ts';
import type { RedirectRefusal } from './redirect.ts';
import type { ResponseHandler } from './response-handler.ts';
import type { RetryRules } from './retry-rules.ts';

/** The settings of the client that an attempt needs. */
export interface AttemptSettings {
  readonly clock: Clock;
  readonly rules: RetryRules;
  readonly limits: DecodedLimits;
  readonly maxAttemptNumber: number;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
}

/** Sends the requests that redirects and rejected credentials call for, within the same attempt. */
export interface FollowUpSender {
  /** Whether `followUp` would send another request. */
  mayFollowUp(handler: ResponseHandler, status: number, headers: RawHeaders): boolean;
  /** Returns true if another request takes over the attempt; otherwise false, or why a redirect was not followed. */
  followUp(handler: ResponseHandler, status: number, headers: RawHeaders): boolean | RedirectRefusal;
}

/** Runs a function in an asynchronous context that was captured earlier. */
export type AsyncScope = <T>(fn: () => T) => T;
