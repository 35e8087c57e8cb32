import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';
import type { PresentedRequest } from './credentials.ts';
import type { CacheCounts } from './stats.ts';
import type { StoreTimeout } from './store-timeout.ts';

/** A call that the cache handles. */
export interface CacheCall {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  /** The target URL, in normal form. */
  readonly url: string;
  /** Undefined for an unsafe request to which `auth` adds credentials: its response is not stored. */
  readonly presented: PresentedRequest | undefined;
  /** The counts to which the outcome of the call is added. */
  readonly counts: CacheCounts;
  readonly storeTimeout: StoreTimeout;
}
