import { runLine } from './page.ts';
import type { CaseResult, SuiteResult } from './result.ts';
import { claimLine, duration, inOrder, markdownTable } from './table.ts';

const BLOCK = /<!-- figures: (?<what>[^>]+?) -->[\s\S]*?<!-- \/figures -->/g;

/**
 * Fills every block between `<!-- figures: SUITE -->` and `<!-- /figures -->` with what was measured last, so that no
 * figure of a page is typed by hand. `<!-- figures: SUITE / CASE -->` is one case alone. A block of what has no committed
 * result says so.
 */
export function fillFigures(text: string, results: ReadonlyMap<string, SuiteResult>, benchmarks: string): string {
  return text.replaceAll(BLOCK, (_block, what: string) => {
    const [suite = '', name] = what.split(' / ');
    const cases = (results.get(suite)?.cases ?? []).filter((one) => name === undefined || one.name === name);
    const body = cases.length === 0 ? 'Not measured yet.' : figuresOf(cases, `${benchmarks}/${suite}.md`);
    const kept = `<!-- prettier-ignore-start -->\n\n${body}\n\n<!-- prettier-ignore-end -->`;
    return `<!-- figures: ${what} -->\n${kept}\n<!-- /figures -->`;
  });
}

function figuresOf(cases: readonly CaseResult[], page: string): string {
  const claims = cases.flatMap((one) => one.claims.map(claimLine));
  const runs = [...new Set(cases.map(({ run }) => runLine(run)))];
  const rows = cases.map((one) => [
    one.name,
    inOrder(one)
      .map(({ name, cpuNs }) => `${name} ${duration(cpuNs)}`)
      .join(' · '),
  ]);
  return [
    `CPU time an operation (${runs.join('; ')}); [all figures](${page}).`,
    markdownTable([['case', 'from the least to the most'], ...rows]),
    ...(claims.length > 0 ? [claims.join('\n')] : []),
  ].join('\n\n');
}
