import type { Clock, Random } from '@macadam/core';

/** What a policy passes to the function it runs; `ExecuteContext` of `@macadam/resilience` has it. */
export interface SimulatedAttempt {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** Calls `listener` once when nobody waits for this attempt any more. */
  onCancel(listener: (reason: unknown) => void): void;
}

/** The policy around the calls of a simulated client: any policy of `@macadam/resilience`, or one of your own. */
export interface SimulatedPolicy {
  /** Runs `fn` under the policy. */
  execute<T>(fn: (attempt: SimulatedAttempt) => PromiseLike<T>, options?: { idempotent?: boolean }): Promise<T>;
}

/** What a policy of a simulation must be made with, so that it runs in virtual time. */
export interface PolicyContext {
  /** The clock of the simulation. */
  readonly clock: Clock;
  /** A source of randomness for this policy. */
  readonly random: Random;
  /** The name of the service that is called. */
  readonly service: string;
  /** The client process or server instance that owns the policy, such as `web#2`. */
  readonly owner: string;
}

/** Makes the policy of one client process, or of one server instance that calls another service. */
export type MakePolicy = (context: PolicyContext) => SimulatedPolicy;

const attemptOnly: SimulatedAttempt = { attempt: 1, onCancel() {} };

/** No policy: a single attempt. */
export const noPolicy: MakePolicy = () => ({
  execute: async (fn) => fn(attemptOnly),
});
