import type { Timer } from '@macadam/core';
import type { Outcome } from '../policy.ts';

/** What the retries of a call need. Created with its first failure, which most calls do not have. */
export class Retries {
  /** The wait before the current attempt, in milliseconds. */
  waitedMs = 0;
  /** When the `Retry-After` of the endpoint that the call has moved on from ends. */
  retryAfterUntil = 0;
  /** Whether the last attempt that failed was throttled. */
  throttled = false;
  /** Ends the wait for the next attempt. */
  timer: Timer | undefined = undefined;
  /** Ends the wait or the attempt in which the loop is. */
  wake: ((outcome: Outcome | undefined) => void) | undefined = undefined;
}
