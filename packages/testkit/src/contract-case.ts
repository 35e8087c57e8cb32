import type { Random } from '@macadam/core';
import type { VirtualClock } from './virtual-clock.ts';

/** A policy as the contract calls it: those of `@macadam/resilience`, or your own. */
export interface ContractPolicy {
  /** Runs `fn` under the policy. */
  execute<T>(
    fn: (context: { readonly attempt: number; readonly signal: AbortSignal }) => PromiseLike<T> | T,
    options?: { signal?: AbortSignal; idempotent?: boolean },
  ): Promise<T>;
  /** Describes the policy in words. */
  describe(): string;
  /** Counts since the policy was created, as plain data. */
  stats(): object;
}

/** What the policy under test must be made with, so that the contract controls time and randomness. */
export interface PolicyContractTools {
  /** The clock to use. */
  readonly clock: VirtualClock;
  /** The source of randomness to use. */
  readonly random: Random;
}

/** Options of `policyContract()`. */
export interface PolicyContractOptions {
  /** How many concurrent calls the policy must admit, at least 2. Default: 8. */
  concurrency?: number;
}

/** One test of a contract, for any test framework: `test(name, run)`. */
export interface ContractCase {
  /** What is tested. */
  readonly name: string;
  /** Runs the test; rejects if the contract is not met. */
  run(): Promise<void>;
}
