import { sizeOf, slopeOf, slopeText } from './chart.ts';
import type { ClaimResult, SuiteResult } from './result.ts';
import { CLAIM_COLUMNS, claimCells, markdownTable, nanoseconds } from './table.ts';

/** What else is measured, and the page that shows it. */
export interface OtherPage {
  readonly file: string;
  readonly title: string;
}

/** The page that has every claim of every suite on it, kept or broken. Written by the run, never by hand. */
export function overviewPage(suites: readonly SuiteResult[], others: readonly OtherPage[]): string {
  const claims = suites.flatMap(({ suite, cases }) =>
    cases.flatMap((one) => one.claims.map((claim) => ({ suite, name: one.name, claim }))),
  );
  const curves = suites.flatMap(({ suite, cases }) =>
    cases.filter(({ curve }) => curve === true).map((one) => ({ suite, one })),
  );
  const lines = [
    '# Benchmarks',
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    'Every claim about cost, beside what came of it. A ratio is that of the CPU time of an operation, the median of rounds of one run, with the interval that holds the true one in at least 95 of 100 runs. *Narrowly*: the interval lies on both sides of the limit. *Level*: the rounds do not tell the two apart, so there is no ratio to tell. `npm run bench` takes every figure again.',
    '',
    tally(claims.map(({ claim }) => claim)),
    '',
    markdownTable(
      [
        ['case', ...CLAIM_COLUMNS],
        ...claims.map(({ suite, name, claim }) => [`[${suite}](${suite}.md): ${name}`, ...claimCells(claim)]),
      ],
      3,
    ),
  ];
  if (curves.length > 0) {
    lines.push('', '## What it costs as it grows', '');
    lines.push(
      markdownTable([
        ['what grows', 'from', 'to', 'slope'],
        ...curves.map(({ suite, one: { name, contenders } }) => {
          const at = (i: number): string => {
            const one = contenders.at(i);
            return one === undefined ? '' : `${one.name}: ${nanoseconds(one.cpuNs.median)}`;
          };
          const slope = slopeOf(contenders.map((one) => [sizeOf(one.name), one.cpuNs.median]));
          return [`[${suite}](${suite}.md): ${name}`, at(0), at(-1), slope === undefined ? '' : slopeText(slope)];
        }),
      ]),
    );
  }
  lines.push('', '## Who is measured', '', markdownTable([['suite', 'contenders'], ...suites.map(peersOf)], 2));
  if (others.length > 0) {
    lines.push('', '## What else is measured', '', ...others.map(({ file, title }) => `- [${title}](${file})`));
  }
  return `${lines.join('\n')}\n`;
}

function tally(claims: readonly ClaimResult[]): string {
  const count = (start: string): number => claims.filter(({ verdict }) => verdict.startsWith(start)).length;
  return `${claims.length} claims: ${count('holds')} hold, ${count('misses')} are missed.`;
}

function peersOf({ suite, cases }: SuiteResult): string[] {
  const versions = cases.flatMap(({ run }) => Object.entries(run.versions));
  const texts = [...new Set(versions.map(([name, version]) => `${name} ${version}`))].sort();
  return [`[${suite}](${suite}.md)`, texts.join(', ')];
}
