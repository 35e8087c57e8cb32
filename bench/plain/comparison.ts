import { ratioOf, type Ratio } from '../src/ratio.ts';
import type { SuiteResult } from '../src/result.ts';
import type { Pair } from './pairs.ts';

/** What the plain loops took: nanoseconds of CPU time of an operation, in the order of the rounds. */
export interface PlainPair extends Pair {
  readonly ofNs: readonly number[];
  readonly toNs: readonly number[];
}

/** Further apart than this, as a share of the ratio of the harness, one of the two is wrong. */
export const LIMIT = 0.1;

export type Comparison = { readonly pair: PlainPair; readonly plain: Ratio } & (
  | { readonly verdict: 'agrees' | 'apart'; readonly harness: number; readonly difference: number }
  | { readonly verdict: 'not in the results' }
);

/** Holds a pair against the committed ratio of the same two. A case that is not committed is told, and breaks nothing. */
export function comparisonOf(pair: PlainPair, suites: ReadonlyMap<string, SuiteResult>): Comparison {
  const plain = plainRatio(pair);
  const contenders = suites.get(pair.suite)?.cases.find(({ name }) => name === pair.case)?.contenders ?? [];
  const [of, to] = [pair.of, pair.to].map((name) => contenders.find((one) => one.name === name)?.rounds);
  if (of === undefined || to === undefined) return { pair, plain, verdict: 'not in the results' };
  const harness = ratioOf(of, to).value;
  const difference = plain.value / harness - 1;
  return { pair, plain, harness, difference, verdict: Math.abs(difference) > LIMIT ? 'apart' : 'agrees' };
}

/** The ratio of the medians, which is not how the harness takes it, and the lowest and the highest of a round. */
function plainRatio({ ofNs, toNs }: PlainPair): Ratio {
  if (ofNs.length !== toNs.length || ofNs.length === 0) {
    throw new Error(`The two of a pair have a round each, not ${ofNs.length} and ${toNs.length}.`);
  }
  const rounds = ofNs.map((ns, round) => ns / (toNs[round] as number));
  return { value: medianOf(ofNs) / medianOf(toNs), low: Math.min(...rounds), high: Math.max(...rounds) };
}

/** Written anew, as all that measures here: a mistake of the harness is not to be made twice. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}
