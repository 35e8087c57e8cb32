import { assertObject, systemClock } from '@macadam/core';
import { Keyed, type KeyedOptions } from '../keyed.ts';
import { retryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

export interface RetryBudgetsOptions extends RetryBudgetOptions, KeyedOptions {}

/** Budgets of the same make, one for each key. */
export interface RetryBudgets {
  /** The budget of `key`, made when first asked for. */
  for(key: string): RetryBudget;
  /** How many keys are kept now. */
  readonly size: number;
}

/**
 * A bounded family of retry budgets, one for each dependency, with the same options.
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
  retryBudget(each); // wrong options are told now, not with the first key
  const bounds: KeyedOptions = { ...(maxKeys !== undefined && { maxKeys }), ...(idleMs !== undefined && { idleMs }) };
  return new Keyed('retryBudgets', bounds, each.clock ?? systemClock, () => retryBudget(each));
}
