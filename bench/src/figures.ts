import type { SuiteResult } from './result.ts';
import { claimLine, duration, markdownTable } from './table.ts';

const BLOCK = /<!-- figures: (?<suite>[\w-]+) -->[\s\S]*?<!-- \/figures -->/g;

/**
 * Fills every block between `<!-- figures: SUITE -->` and `<!-- /figures -->` with what was measured last, so that no
 * figure of a page is typed by hand. A block whose suite has no committed result says so.
 */
export function fillFigures(text: string, results: ReadonlyMap<string, SuiteResult>, benchmarks: string): string {
  return text.replaceAll(BLOCK, (_block, suite: string) => {
    const result = results.get(suite);
    const body = result === undefined ? 'Not measured yet.' : figuresOf(result, `${benchmarks}/${suite}.md`);
    const kept = `<!-- prettier-ignore-start -->\n\n${body}\n\n<!-- prettier-ignore-end -->`;
    return `<!-- figures: ${suite} -->\n${kept}\n<!-- /figures -->`;
  });
}

function figuresOf({ cases, node, cpu, date, rounds, quiet }: SuiteResult, page: string): string {
  const rows = cases.map(({ name, contenders }) => {
    const sorted = [...contenders].sort((a, b) => a.cpuNs.median - b.cpuNs.median);
    return [name, sorted.map((one) => `${one.name} ${duration(one.cpuNs)}`).join(' · ')];
  });
  const claims = cases.flatMap((one) => one.claims.map(claimLine));
  const busy = quiet ? '' : ', on a machine that was busy with other things';
  return [
    `CPU time an operation, medians of ${rounds} interleaved rounds, Node ${node.slice(1)}, ${cpu}, ${date}${busy}; [all figures](${page}).`,
    markdownTable([['case', 'from the least to the most'], ...rows]),
    ...(claims.length > 0 ? [claims.join('\n')] : []),
  ].join('\n\n');
}
