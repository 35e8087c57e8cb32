import { figureOf } from '../src/measurement.ts';
import { caseResult, type CaseResult, type Run } from '../src/result.ts';
import type { Claim } from '../src/suite.ts';

const run: Run = {
  ...{ rounds: 3, milliseconds: 100, date: '2026-01-02', node: 'v24.0.0', cpu: 'A', pinned: true, quiet: true },
  versions: { peer: '1.2.3' },
};

/** A result, made of the CPU times of each contender's rounds in nanoseconds. */
export function caseOf(
  name: string,
  contenders: Readonly<Record<string, number[]>>,
  claims: readonly Claim[] = [],
  curve = false,
): CaseResult {
  const results = Object.entries(contenders).map(([contender, rounds]) => ({
    ...{ name: contender, cpuNs: figureOf(rounds), rounds, bytes: 1 },
    ...{ perSecond: figureOf([1]), peakMiB: figureOf([1]) },
  }));
  const none = async (): Promise<never> => Promise.reject(new Error('not to be set up'));
  const lineUp = Object.keys(contenders).map((contender) => ({ name: contender, setup: none }));
  return caseResult({ name, what: '', contenders: lineUp, claims, curve }, run, results);
}
