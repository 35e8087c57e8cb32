import { assertKnownOptions, assertNumber, assertObject, assertSignal, currentWork, OptionsError } from '@macadam/core';
import { isPermitLimit, type Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import type { CostOptions, RefundOptions, WaitOptions } from './rate-limiter.ts';
import { DEFAULT_WAIT_MS } from './waits.ts';

/** The cost that is asked for. Looks at no more than it must: every decision comes through here. */
export function costIn(options: CostOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== 'object' || options === null) assertObject('take', options);
  for (const name in options) if (name !== 'cost') assertKnownOptions('take', options, ['cost']);
  return options.cost;
}

/** The options of a call that is not made a million times a second. */
export function assertCallOptions(path: string, options: unknown, known: readonly string[]): void {
  assertObject(path, options);
  assertKnownOptions(path, options, known);
}

/** What is given back, and when it was taken, if that is known. */
export function refundIn(options: RefundOptions): { readonly cost: number; readonly stamp: number | undefined } {
  assertCallOptions('refund', options, ['cost', 'decision']);
  const { decision } = options;
  if (decision !== undefined) assertObject('refund.decision', decision);
  const { cost = decision?.granted ?? 1 } = options;
  assertNumber('refund.cost', cost, { min: 0 });
  return { cost, stamp: decision?.stamp };
}

/** What may be waited for, and how long, of the unit of work where nothing is said. */
export function waitIn(options: WaitOptions): WaitOptions & { readonly maxWaitMs: number } {
  assertCallOptions('wait', options, ['cost', 'maxWaitMs', 'signal']);
  const work = currentWork();
  const { maxWaitMs = work?.deadline?.remainingMs() ?? DEFAULT_WAIT_MS, signal = work?.cancellation } = options;
  assertNumber('wait.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
  assertSignal('wait.signal', signal);
  return { ...options, maxWaitMs, ...(signal !== undefined && { signal }) };
}

/** On whose behalf; nobody's is the empty text. */
export function assertTenant(path: string, tenant: unknown): asserts tenant is string {
  if (typeof tenant !== 'string') throw new OptionsError(path, tenant, 'a string');
}

/** The permit that a decision gave, if any. */
export function permitIn(path: string, decision: Decision): number | undefined {
  assertObject(`${path}.decision`, decision);
  return decision.permit;
}

/** A permit is given back by `release`; there is nothing to add to or take off. */
export function assertRates(operation: string, limits: readonly Limit[]): void {
  if (!limits.some(isPermitLimit)) return;
  throw new OptionsError(operation, 'a concurrency limit', 'used with limits by rate; a permit ends by release');
}
