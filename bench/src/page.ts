import type { CaseResult, Run, SuiteResult } from './result.ts';
import { caseRows, claimLine, markdownTable } from './table.ts';

const HOW =
  'Each contender runs in fresh processes, which take turns. CPU time is what the operating system counts for all threads of the process; ± is half of the distance between the quartiles. A ratio is the median of those of the rounds, and the interval behind it holds the true one in at least 95 of 100 runs; where it reaches across one, the two are level and no ratio is told. Ratios of one run mean something, absolute times do not.';

/** The docs page of a result. Written by the run, never by hand. */
export function pageOf({ suite, what, cases }: SuiteResult): string {
  const runs = [...new Set(cases.map(({ run }) => runLine(run)))];
  const lines = [
    `# Benchmark: ${suite}`,
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    what,
    '',
    HOW,
    '',
  ];
  // Cases that were measured at other times say so, each for itself.
  if (runs.length === 1) lines.push(`${runs[0]}.`, '');
  lines.push(`Versions: ${versionsOf(cases)}.`);
  for (const one of cases) {
    lines.push('', `## ${one.name}`, '', one.what, '');
    if (runs.length > 1) lines.push(`${runLine(one.run)}.`, '');
    lines.push(`![${one.name}](${chartFile(suite, one.name)})`, '', markdownTable(caseRows(one)));
    if (one.claims.length > 0) lines.push('', ...one.claims.map(claimLine));
  }
  return `${lines.join('\n')}\n`;
}

/** When, where and how a case was measured. */
export function runLine({ node, cpu, date, rounds, milliseconds, pinned, quiet }: Run): string {
  const how = `medians of ${rounds} interleaved rounds of ${milliseconds} ms`;
  const core = pinned ? '' : ', not kept on one core';
  const busy = quiet ? '' : ', on a machine that was busy with other things';
  return `Node ${node.slice(1)}, ${cpu}, ${date}, ${how}${core}${busy}`;
}

function versionsOf(cases: readonly CaseResult[]): string {
  const versions = cases.flatMap(({ run }) => Object.entries(run.versions).map((one) => one.join(' ')));
  return [...new Set(versions)].sort().join(', ');
}

export function chartFile(suite: string, name: string): string {
  return `${suite}-${name.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')}.svg`;
}
