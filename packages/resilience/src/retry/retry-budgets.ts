import { assertObject, systemClock } from '@macadam/core';
import { Keyed, type KeyedOptions } from '../keyed.ts';
import { retryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

/** Options of {@link retryBudgets}: those of each budget, and how many are kept. */
export interface RetryBudgetsOptions extends RetryBudgetOptions, KeyedOptions {}

/** Retry budgets with the same options, one per key. */
export interface RetryBudgets {
  /** Returns the budget of `key`, created on first use. */
  for(key: string): RetryBudget;
  /** The number of keys kept now. */
  readonly size: number;
}

/**
 * Makes retry budgets with the same options on demand, one per key (host, tenant, …), and keeps a bounded number of them.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { retry, retryBudgets } from '@macadam/resilience';
 *
 * const budgets = retryBudgets({ ratio: 0.1 });
 * await retry({ budget: budgets.for('billing.internal:443') }).execute(async () => 'ok');
 * ```
 */
export function retryBudgets(options: RetryBudgetsOptions = {}): RetryBudgets {
  assertObject('retryBudgets', options);
  const { maxKeys, idleMs, ...each } = options;
  retryBudget(each); // reports wrong options now instead of with the first key
  const bounds: KeyedOptions = { ...(maxKeys !== undefined && { maxKeys }), ...(idleMs !== undefined && { idleMs }) };
  return new Keyed('retryBudgets', bounds, each.clock ?? systemClock, () => retryBudget(each));
}
