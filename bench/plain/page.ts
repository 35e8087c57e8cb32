import type { SuiteResult } from '../src/result.ts';
import { intervalText, markdownTable, nanoseconds } from '../src/table.ts';
import { comparisonOf, LIMIT, medianOf, type Comparison, type PlainPair } from './comparison.ts';

export interface PlainResult {
  date: string;
  node: string;
  cpu: string;
  /** Whether the machine was quiet when the run began. */
  quiet: boolean;
  rounds: number;
  pairs: readonly PlainPair[];
}

type Suites = ReadonlyMap<string, SuiteResult>;

const limit = `${LIMIT * 100} %`;

/** @param suites - the committed results, to hold the plain loops against */
export function plainRows({ pairs }: Pick<PlainResult, 'pairs'>, suites: Suites): string[][] {
  const rows = pairs.map((pair) => {
    const compared = comparisonOf(pair, suites);
    const [of, to] = [medianOf(pair.ofNs), medianOf(pair.toNs)].map(nanoseconds);
    const found = compared.verdict === 'not in the results' ? ['-', '-'] : harnessCells(compared);
    return [
      ...[`${pair.suite}, ${pair.case}: ${pair.of} (${of})`, `${pair.to} (${to})`],
      ...[intervalText(compared.plain), ...found, compared.verdict],
    ];
  });
  return [['operation', 'beside', 'plain loop', 'harness', 'difference', 'verdict'], ...rows];
}

function harnessCells({ harness, difference }: Extract<Comparison, { harness: number }>): string[] {
  const percent = (difference * 100).toFixed(1);
  const ratio = harness < 0.1 ? harness.toFixed(3) : harness.toFixed(2);
  return [`${ratio}x`, `${difference > 0 ? '+' : ''}${percent} %`];
}

/** How many pairs agree, and which do not. */
export function plainSummary({ pairs }: Pick<PlainResult, 'pairs'>, suites: Suites): string {
  const compared = pairs.map((pair) => comparisonOf(pair, suites));
  const named = (verdict: Comparison['verdict']): string[] =>
    compared.filter((one) => one.verdict === verdict).map(({ pair }) => `${pair.of} beside ${pair.to} (${pair.suite})`);
  const [apart, missing] = [named('apart'), named('not in the results')];
  return [
    `${named('agrees').length} of ${pairs.length} ratios are within ${limit} of those of the harness.`,
    ...(apart.length > 0 ? [`Apart: ${apart.join('; ')}.`] : []),
    ...(missing.length > 0 ? [`Not in the results of the harness: ${missing.join('; ')}.`] : []),
  ].join(' ');
}

/** The docs page. Written by the run, never by hand. */
export function plainPage(result: PlainResult, suites: Suites): string {
  const lines = [
    '# Benchmark: the ratios again, by plain loops',
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    `Some ratios of the suites, measured a second time by a program that shares nothing with what measured them there: each operation is a few lines as its users write them, made a fixed number of times to warm up, and a fixed number of times in a bare \`for\` loop between two readings of \`process.cpuUsage()\`. The two of a pair take turns, each time in a fresh process. *Plain loop* is the ratio of the medians, with the lowest and the highest of a round; *harness* is the ratio on the page of the suite, measured on its own day. Two that differ by more than ${limit} are *apart*: then one of the two measures something else.`,
    '',
    `The times in brackets are CPU time of one operation in the plain loop: in \`cache\` and \`ratelimit\` of one look-up or request, where the harness takes a hundred for one operation.`,
    '',
    plainSummary(result, suites),
    '',
    markdownTable(plainRows(result, suites), 2),
    '',
    `Node ${result.node.slice(1)}, ${result.cpu}, ${result.date}${result.quiet ? '' : ', on a machine that was busy with other things'}; ${result.rounds} rounds.`,
  ];
  return `${lines.join('\n')}\n`;
}
