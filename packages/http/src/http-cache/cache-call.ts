import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';
import type { Asker } from './credentials.ts';
import type { StoreTimeout } from './store-timeout.ts';
import type { CacheCounts } from './stats.ts';

/** A call on its way through the cache. */
export interface CacheCall {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  /** Undefined when that was not asked: then nothing of its answer is kept. */
  readonly asker: Asker | undefined;
  /** Where it is counted what became of it. */
  readonly counts: CacheCounts;
  readonly storeTimeout: StoreTimeout;
}
