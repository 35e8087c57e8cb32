import { assertKnownOptions, assertNumber, assertObject, assertSignal, currentWork, OptionsError } from '@macadam/core';
import { isPermitLimit, type Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import type { CostOptions, RefundOptions, WaitOptions } from './rate-limiter.ts';
import { DEFAULT_MAX_WAIT_MS } from './waiters.ts';

/** Returns the cost from the options of `take`. Does the fewest checks possible, since every decision comes through here. */
export function readCost(options: CostOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== 'object' || options === null) assertObject('take', options);
  for (const name in options) if (name !== 'cost') assertKnownOptions('take', options, ['cost']);
  return options.cost;
}

/** Checks the options of a call that is not on the hot path. */
export function assertCallOptions(path: string, options: unknown, known: readonly string[]): void {
  assertObject(path, options);
  assertKnownOptions(path, options, known);
}

/** Returns the tokens to give back and, if known, when they were taken. */
export function readRefund(options: RefundOptions): { readonly cost: number; readonly stamp: number | undefined } {
  assertCallOptions('refund', options, ['cost', 'decision']);
  const { decision } = options;
  if (decision !== undefined) assertObject('refund.decision', decision);
  const { cost = decision?.granted ?? 1 } = options;
  assertNumber('refund.cost', cost, { min: 0 });
  return { cost, stamp: decision?.stamp };
}

/** Returns the options of `wait`, with defaults from the current unit of work. */
export function readWait(options: WaitOptions): WaitOptions & { readonly maxWaitMs: number } {
  assertCallOptions('wait', options, ['cost', 'maxWaitMs', 'signal']);
  const work = currentWork();
  const { maxWaitMs = work?.deadline?.remainingMs() ?? DEFAULT_MAX_WAIT_MS, signal = work?.cancellation } = options;
  assertNumber('wait.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
  assertSignal('wait.signal', signal);
  return { ...options, maxWaitMs, ...(signal !== undefined && { signal }) };
}

/** Work without a tenant has the empty string. */
export function assertTenant(path: string, tenant: unknown): asserts tenant is string {
  if (typeof tenant !== 'string') throw new OptionsError(path, tenant, 'a string');
}

/** Returns the id of the permit that the decision granted, if any. */
export function readPermit(path: string, decision: Decision): number | undefined {
  assertObject(`${path}.decision`, decision);
  return decision.permit;
}

/** Refunds and penalties apply to limits by rate only: a permit ends by `release`. */
export function assertNoPermitLimit(operation: string, limits: readonly Limit[]): void {
  if (!limits.some(isPermitLimit)) return;
  throw new OptionsError(operation, 'a concurrency limit', 'used with limits by rate; a permit ends by release');
}
