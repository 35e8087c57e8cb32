import { isPermitLimit } from '../algorithms/limit.ts';
import type { RateLimiterSettings } from '../options.ts';
import { guardTable } from './guarded-table.ts';
import { LeasedTable } from './leased-table.ts';
import type { LimitTable } from './store.ts';

/** What stands in front of a store that takes time and can fail. */
export function sharedTable(table: LimitTable, settings: RateLimiterSettings): LimitTable {
  const { limits, store, expectedInstances, clock } = settings;
  const guarded = guardTable(table, settings);
  // A permit is held by somebody: there is nothing to borrow ahead.
  if (store.lease === undefined || limits.some(isPermitLimit)) return guarded;
  return new LeasedTable(guarded, limits, store.lease, expectedInstances, clock);
}
