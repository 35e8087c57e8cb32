import type { SuiteResult } from './result.ts';
import { caseRows, claimLine, markdownTable } from './table.ts';

/** The docs page of a result. Written by the run, never by hand. */
export function pageOf(result: SuiteResult): string {
  const versions = Object.entries(result.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const how = `Node ${result.node.slice(1)}, ${result.cpu}, ${result.date}; medians of ${result.rounds} interleaved rounds of ${result.milliseconds} ms, each in a fresh process`;
  const lines = [
    `# Benchmark: ${result.suite}`,
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    result.what,
    '',
    `${how}${result.quiet ? '' : '; the machine was busy with other things, which widens the spread'}. CPU time is what the operating system counts for the process; ± is half of the distance between the quartiles. Ratios of one run mean something, absolute times do not.`,
    '',
    versions === '' ? '' : `Versions: ${versions}.`,
  ];
  for (const one of result.cases) {
    lines.push('', `## ${one.name}`, '', one.what, '', `![${one.name}](${chartFile(result.suite, one.name)})`, '');
    lines.push(markdownTable(caseRows(one)));
    if (one.claims.length > 0) lines.push('', ...one.claims.map(claimLine));
  }
  return `${lines.join('\n')}\n`;
}

export function chartFile(suite: string, name: string): string {
  return `${suite}-${name.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')}.svg`;
}
