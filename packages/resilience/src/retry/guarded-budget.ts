import { OptionsError } from '@macadam/core';
import type { PolicyStats } from '../policy.ts';
import { emitWarning } from '../warning.ts';
import type { RetryBudget } from './retry-budget.ts';

const METHODS = [
  'callStarted',
  'callEnded',
  'callSucceeded',
  'attemptFailed',
  'tryRetry',
  'retryEnded',
  'describe',
  'stats',
] as const;

/**
 * A budget, which may be the user's, as policies use it: what it throws becomes a process warning, because it must not prevent a call
 * from ending, nor the metrics of other policies from being read. A budget that cannot say whether it allows a retry does not allow it.
 */
export class GuardedBudget implements RetryBudget {
  /** The budget itself. */
  readonly budget: RetryBudget;

  constructor(budget: RetryBudget) {
    this.budget = budget;
  }

  callStarted(now: number): void {
    try {
      this.budget.callStarted(now);
    } catch (error) {
      emitWarning(error);
    }
  }

  callEnded(): void {
    try {
      this.budget.callEnded();
    } catch (error) {
      emitWarning(error);
    }
  }

  callSucceeded(retries: number, throttled: boolean): void {
    try {
      this.budget.callSucceeded(retries, throttled);
    } catch (error) {
      emitWarning(error);
    }
  }

  attemptFailed(): void {
    try {
      this.budget.attemptFailed();
    } catch (error) {
      emitWarning(error);
    }
  }

  tryRetry(throttled: boolean, now: number): boolean {
    try {
      return this.budget.tryRetry(throttled, now);
    } catch (error) {
      emitWarning(error);
      return false;
    }
  }

  retryEnded(): void {
    try {
      this.budget.retryEnded();
    } catch (error) {
      emitWarning(error);
    }
  }

  describe(): string {
    try {
      return this.budget.describe();
    } catch (error) {
      emitWarning(error);
      return 'a retry budget that cannot be described';
    }
  }

  stats(): PolicyStats {
    try {
      return this.budget.stats();
    } catch (error) {
      emitWarning(error);
      return {};
    }
  }
}

/** Guards the budget given as the option `path`, and checks that it is one. */
export function guardedBudget(path: string, budget: unknown, allowed: string): GuardedBudget {
  const methods = budget as Partial<RetryBudget> | null | undefined;
  for (const name of METHODS) {
    if (typeof methods?.[name] !== 'function') throw new OptionsError(path, budget, allowed);
  }
  return new GuardedBudget(budget as RetryBudget);
}
