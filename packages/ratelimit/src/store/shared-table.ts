import type { RateLimiterSettings } from '../options.ts';
import { guardTable } from './guarded-table.ts';
import { LeasedTable } from './leased-table.ts';
import type { LimitTable } from './store.ts';

/** What stands in front of a store that takes time and can fail. */
export function sharedTable(table: LimitTable, settings: RateLimiterSettings): LimitTable {
  const { limits, store, expectedInstances, clock } = settings;
  const guarded = guardTable(table, settings);
  const [limit, ...others] = limits;
  // Of several limits, the tokens of each would have to be borrowed in step.
  if (store.lease === undefined || limit?.kind !== 'tokenBucket' || others.length > 0) return guarded;
  return new LeasedTable(guarded, limit, store.lease, expectedInstances, clock);
}
