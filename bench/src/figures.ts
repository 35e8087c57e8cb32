import { runLine } from './page.ts';
import type { CaseResult, SuiteResult } from './result.ts';
import { CLAIM_COLUMNS, claimCells, duration, markdownTable, sortedByCost } from './table.ts';

const BLOCK = /<!-- figures: (?<what>[^>]+?) -->[\s\S]*?<!-- \/figures -->/g;

/**
 * Fills every block between `<!-- figures: SUITE -->` and `<!-- /figures -->` with the latest committed result, so that no
 * figure of a page is typed by hand. `<!-- figures: SUITE / CASE -->` stands for one case, and
 * `<!-- figures: claims -->` for the number of claims of all suites. A block without a committed result says so.
 */
export function fillFigures(text: string, results: ReadonlyMap<string, SuiteResult>, benchmarks: string): string {
  return text.replaceAll(BLOCK, (_block, what: string) => {
    const body = what === 'claims' ? claimsOf([...results.values()], benchmarks) : figuresOf(what, results, benchmarks);
    const content = `<!-- prettier-ignore-start -->\n\n${body ?? 'Not measured yet.'}\n\n<!-- prettier-ignore-end -->`;
    return `<!-- figures: ${what} -->\n${content}\n<!-- /figures -->`;
  });
}

function figuresOf(what: string, results: ReadonlyMap<string, SuiteResult>, benchmarks: string): string | undefined {
  const [suite = '', name] = what.split(' / ');
  const cases = (results.get(suite)?.cases ?? []).filter((one) => name === undefined || one.name === name);
  if (cases.length === 0) return undefined;
  const claims = cases.flatMap((one) => one.claims.map((claim) => [one.name, ...claimCells(claim)]));
  const runs = [...new Set(cases.map(({ run }) => runLine(run)))];
  return [
    `CPU time per operation (${runs.join('; ')}); [all figures](${benchmarks}/${suite}.md).`,
    markdownTable([['case', 'contenders, cheapest first'], ...cases.map(caseRow)]),
    ...(claims.length > 0 ? [markdownTable([['case', ...CLAIM_COLUMNS], ...claims], 3)] : []),
  ].join('\n\n');
}

function caseRow(one: CaseResult): string[] {
  const costs = sortedByCost(one).map(({ name, cpuNs }) => `${name} ${duration(cpuNs)}`);
  return [one.name, costs.join(' · ')];
}

function claimsOf(results: readonly SuiteResult[], benchmarks: string): string | undefined {
  const rows = results.flatMap(({ suite, cases }) => {
    const verdicts = cases.flatMap(({ claims }) => claims.map(({ verdict }) => verdict));
    const count = (start: string): string => String(verdicts.filter((one) => one.startsWith(start)).length);
    if (verdicts.length === 0) return [];
    return [[`[${suite}](${benchmarks}/${suite}.md)`, String(verdicts.length), count('holds'), count('misses')]];
  });
  return rows.length === 0 ? undefined : markdownTable([['suite', 'claims', 'held', 'missed'], ...rows]);
}
