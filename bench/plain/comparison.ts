import { ratioOf, type Ratio } from '../src/ratio.ts';
import type { SuiteResult } from '../src/result.ts';
import type { Pair } from './pairs.ts';

/** CPU time per operation of the plain loops, in nanoseconds, in the order of the rounds. */
export interface PlainPair extends Pair {
  readonly ofNs: readonly number[];
  readonly toNs: readonly number[];
}

/** When the two ratios differ by more than this share, either the harness or the plain loop is wrong. */
export const LIMIT = 0.1;

export type Comparison = { readonly pair: PlainPair; readonly plain: Ratio } & (
  | { readonly verdict: 'agrees' | 'differs'; readonly harness: number; readonly difference: number }
  | { readonly verdict: 'not in the results' }
);

/**
 * Compares a pair with the committed ratio of the same contenders. A case without a committed result is reported and
 * does not fail.
 */
export function comparisonOf(pair: PlainPair, suites: ReadonlyMap<string, SuiteResult>): Comparison {
  const plain = plainRatio(pair);
  const contenders = suites.get(pair.suite)?.cases.find(({ name }) => name === pair.case)?.contenders ?? [];
  const [of, to] = [pair.of, pair.to].map((name) => contenders.find((one) => one.name === name)?.rounds);
  if (of === undefined || to === undefined) return { pair, plain, verdict: 'not in the results' };
  const harness = ratioOf(of, to).value;
  const difference = plain.value / harness - 1;
  return { pair, plain, harness, difference, verdict: Math.abs(difference) > LIMIT ? 'differs' : 'agrees' };
}

/** The ratio of the medians, which the harness computes differently, and the lowest and highest ratio of a round. */
function plainRatio({ ofNs, toNs }: PlainPair): Ratio {
  if (ofNs.length !== toNs.length || ofNs.length === 0) {
    throw new Error(
      `Both operations of a pair need the same number of rounds, at least one, not ${ofNs.length} and ${toNs.length}.`,
    );
  }
  const rounds = ofNs.map((ns, round) => ns / (toNs[round] as number));
  return { value: medianOf(ofNs) / medianOf(toNs), low: Math.min(...rounds), high: Math.max(...rounds) };
}

/** Implemented here and not imported from the harness, so that a mistake of the harness is not repeated. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}
