import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { processor } from './machine.ts';
import { ratioOf, verdictOf, type Ratio, type Verdict } from './ratio.ts';
import type { ContenderResult, Plan } from './rounds.ts';
import type { Case, Claim } from './suite.ts';

export interface ClaimResult extends Claim {
  readonly ratio: Ratio;
  readonly verdict: Verdict;
}

/** Where and how a case was measured. */
export interface Run extends Plan {
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  /** Whether each process was pinned to one core. */
  readonly pinned: boolean;
  /** Whether the machine was quiet when the case began. */
  readonly quiet: boolean;
  /** Versions of the packages of the contenders. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface CaseResult {
  readonly name: string;
  readonly what: string;
  readonly run: Run;
  readonly contenders: readonly ContenderResult[];
  readonly claims: readonly ClaimResult[];
  readonly curve?: boolean;
}

/** The latest result of each case of a suite, as it is committed. */
export interface SuiteResult {
  readonly suite: string;
  readonly what: string;
  readonly cases: readonly CaseResult[];
}

export function caseResult(
  { name, what, claims = [], curve = false }: Case,
  run: Run,
  contenders: readonly ContenderResult[],
): CaseResult {
  const results = claims.map((claim) => {
    const allowed = roundsOf(name, contenders, claim.to).map((costNs) => costNs + (claim.plusNs ?? 0));
    const ratio = ratioOf(roundsOf(name, contenders, claim.of), allowed);
    return { ...claim, ratio, verdict: verdictOf(ratio, claim.atMost) };
  });
  return { name, what, run, contenders, claims: results, ...(curve && { curve }) };
}

function roundsOf(name: string, contenders: readonly ContenderResult[], contender: string): readonly number[] {
  const found = contenders.find((one) => one.name === contender);
  if (found === undefined)
    throw new Error(`A claim of case "${name}" names "${contender}", which is not one of its contenders.`);
  return found.rounds;
}

export function runOf({ contenders }: Case, plan: Plan, pinned: boolean, quiet: boolean): Run {
  const date = new Date().toISOString().slice(0, 10);
  const names = [...new Set(contenders.flatMap(({ from }) => from ?? []))].sort();
  const versions = Object.fromEntries(names.map((name) => [name, versionOf(name)]));
  return { ...plan, date, node: process.version, cpu: processor(), pinned, quiet, versions };
}

const require = createRequire(import.meta.url);

/** The version of an installed package. Found from its main file, since not every package exports its package.json. */
function versionOf(name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(join(folder, name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Not in this folder.
    }
  }
  return 'unknown';
}
