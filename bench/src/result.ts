import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { ratioOf, type Ratio } from './measurement.ts';
import type { ContenderResult, Plan } from './rounds.ts';
import type { Case, Claim, Suite } from './suite.ts';

export interface ClaimResult extends Claim {
  readonly ratio: Ratio;
  readonly holds: boolean;
}

export interface CaseResult {
  readonly name: string;
  readonly what: string;
  readonly contenders: readonly ContenderResult[];
  readonly claims: readonly ClaimResult[];
  readonly curve?: boolean;
}

/** One run of one suite, as it is committed. */
export interface SuiteResult {
  readonly suite: string;
  readonly what: string;
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly rounds: number;
  readonly milliseconds: number;
  /** Whether the machine was quiet when the run began. */
  readonly quiet: boolean;
  readonly versions: Readonly<Record<string, string>>;
  readonly cases: readonly CaseResult[];
}

export function caseResult(
  { name, what, claims = [], curve = false }: Case,
  contenders: readonly ContenderResult[],
): CaseResult {
  const costOf = (contender: string): ContenderResult['cpuNs'] => {
    const found = contenders.find((one) => one.name === contender);
    if (found === undefined) throw new Error(`A claim of case "${name}" names "${contender}", which does not contend.`);
    return found.cpuNs;
  };
  const judged = claims.map((claim) => {
    const ratio = ratioOf(costOf(claim.of), costOf(claim.to));
    return { ...claim, ratio, holds: ratio.value <= claim.atMost };
  });
  return { name, what, contenders, claims: judged, ...(curve && { curve }) };
}

export function suiteResult(suite: Suite, plan: Plan, isQuiet: boolean, cases: readonly CaseResult[]): SuiteResult {
  return {
    suite: suite.name,
    what: suite.what,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    rounds: plan.rounds,
    milliseconds: plan.milliseconds,
    quiet: isQuiet,
    versions: versionsOf(suite),
    cases,
  };
}

function versionsOf(suite: Suite): Record<string, string> {
  const names = new Set(suite.cases.flatMap(({ contenders }) => contenders.flatMap(({ from }) => from ?? [])));
  return Object.fromEntries([...names].sort().map((name) => [name, versionOf(name)]));
}

const require = createRequire(import.meta.url);

/** The version of an installed package, found from its main file, since not every package exports its manifest. */
function versionOf(name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(join(folder, name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Not in this folder.
    }
  }
  return `unknown (${dirname(name)})`;
}
