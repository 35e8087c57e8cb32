import type { Clock } from '@macadam/core';
import type { DecodedLimits } from './content-decoding.ts';
import type { RawHeaders } from './dispatcher.ts';
import type { RedirectRefusal } from './redirect.ts';
import type { ResponseHandler } from './response-handler.ts';
import type { RetryRules } from './retry-rules.ts';

/** What a try needs to know of its client. */
export interface AttemptSettings {
  readonly clock: Clock;
  readonly rules: RetryRules;
  readonly limits: DecodedLimits;
  readonly maxAttempts: number;
}

/** Who may answer an answer with another request. */
export interface FollowUps {
  /** Whether another request has taken over the try; if not, why a redirect was not followed. */
  follow(handler: ResponseHandler, status: number, headers: RawHeaders): boolean | RedirectRefusal;
}
