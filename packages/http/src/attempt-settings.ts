import type { Clock } from '@macadam/core';
import type { DecodedLimits } from './content-decoding.ts';
import type { RawHeaders } from './dispatcher.ts';
import type { RedirectRefusal } from './redirect.ts';
import type { ResponseHandler } from './response-handler.ts';
import type { RetryRules } from './retry-rules.ts';

/** Of the body of a failed try, so much is read: enough for a problem document, and it keeps the socket usable. */
export const MAX_ERROR_BODY_BYTES = 65_536;

/** What a try needs to know of its client. */
export interface AttemptSettings {
  readonly clock: Clock;
  readonly rules: RetryRules;
  readonly limits: DecodedLimits;
  readonly maxAttemptNumber: number;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
}

/** Who may answer an answer with another request. */
export interface FollowUpSender {
  /** Whether another request has taken over the try; if not, why a redirect was not followed. */
  follow(handler: ResponseHandler, status: number, headers: RawHeaders): boolean | RedirectRefusal;
}

/** Runs a function in an asynchronous context. */
export type Scope = <T>(fn: () => T) => T;
