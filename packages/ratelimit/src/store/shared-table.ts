import { isPermitLimit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { RateLimiterSettings } from '../options.ts';
import { GuardedTable } from './guarded-table.ts';
import { LeasedTable } from './leased-table.ts';
import type { LimitTable } from './store.ts';

/** Wraps the table of a store that is not in this process: guards it against failures, and leases tokens if so configured. */
export function sharedTable(table: LimitTable, settings: RateLimiterSettings): LimitTable {
  const { limits, store, expectedInstances, clock } = settings;
  const guarded = new GuardedTable(table, settings);
  // Permits are never leased.
  if (store.lease === undefined || limits.some(isPermitLimit)) return guarded;
  return new LeasedTable(guarded, limits, store.lease, expectedInstances, clock);
}

/** The table that gets back what a decision took, without one the table itself; undefined if nothing was charged. */
export function chargedTable(table: LimitTable, decision: Decision | undefined): LimitTable | undefined {
  return decision?.degraded === true ? table.fallback : table;
}
