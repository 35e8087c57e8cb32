import { assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import { isPermitLimit, type Limit } from './algorithms/limit.ts';
import type { Decision } from './decision.ts';
import type { CostOptions } from './rate-limiter.ts';

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
