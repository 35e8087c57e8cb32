import type { Clock, Random } from '@macadam/core';

/** What a policy hands to the function it guards. The policies of `@macadam/resilience` do. */
export interface SimulatedAttempt {
  /** Which try this is, counted from 1. */
  readonly attempt: number;
  /** Calls `listener` once when nobody waits for this try any more. */
  onCancel(listener: (reason: unknown) => void): void;
}

/** What a client puts around its calls: any policy or pipeline of `@macadam/resilience`, or one of your own. */
export interface SimulatedPolicy {
  execute<T>(fn: (attempt: SimulatedAttempt) => PromiseLike<T>, options?: { idempotent?: boolean }): Promise<T>;
}

/** What a policy is made with, so that it runs in virtual time. */
export interface PolicyContext {
  readonly clock: Clock;
  /** A source of its own. */
  readonly random: Random;
  /** The service that is called. */
  readonly service: string;
  /** Whose policy it is, such as `web#2`. */
  readonly owner: string;
}

/** Makes the policy of one client process, or of one server instance that calls another service. */
export type MakePolicy = (context: PolicyContext) => SimulatedPolicy;

const attemptOnly: SimulatedAttempt = { attempt: 1, onCancel() {} };

/** No policy at all: one try, and whatever comes of it. */
export const noPolicy: MakePolicy = () => ({
  execute: async (fn) => fn(attemptOnly),
});
