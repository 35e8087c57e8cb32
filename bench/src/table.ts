import type { Figure } from './measurement.ts';
import type { CaseResult, ClaimResult } from './result.ts';
import type { ContenderResult } from './rounds.ts';

/** A case as rows of text, the cheapest contender first; a curve in its own order. */
export function caseRows(result: CaseResult): string[][] {
  const { contenders } = result;
  const least = Math.min(...contenders.map(({ cpuNs }) => cpuNs.median));
  const header = ['contender', 'CPU an operation', 'to the least', 'a second', 'allocated', 'peak memory'];
  const rows = inOrder(result).map((one) => [
    one.name,
    duration(one.cpuNs),
    `${(one.cpuNs.median / least).toFixed(2)}x`,
    ...others(one),
  ]);
  return [header, ...rows];
}

export function inOrder({ contenders, curve = false }: CaseResult): readonly ContenderResult[] {
  return curve ? contenders : [...contenders].sort((a, b) => a.cpuNs.median - b.cpuNs.median);
}

function others({ perSecond, bytes, peakMiB }: ContenderResult): string[] {
  return [
    Math.round(perSecond.median).toLocaleString('en'),
    bytes === undefined ? 'unknown' : `${Math.round(bytes).toLocaleString('en')} B`,
    `${Math.round(peakMiB.median)} MiB`,
  ];
}

export function duration({ median, spread }: Figure): string {
  const text = median < 10_000 ? `${Math.round(median).toLocaleString('en')} ns` : `${(median / 1_000).toFixed(1)} µs`;
  return `${text} ± ${(spread * 100).toFixed(0)} %`;
}

/** Says whether a claim holds; says nothing of a ratio that the spread of the rounds does not bear out. */
export function claimLine({ of, to, atMost, ratio, holds }: ClaimResult): string {
  const promise = `${of} at most ${atMost}x ${to}`;
  if (!ratio.distinct && ratio.value > 0.5 && ratio.value < 2 && !holds) {
    return `- undecided: ${promise} (the rounds lie further apart than the two)`;
  }
  return `- ${holds ? 'holds' : 'MISSED'}: ${promise}: ${ratio.value.toFixed(2)}x`;
}

/** Columns padded for a terminal. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}

export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [header = [], ...body] = rows;
  const rule = header.map((_, i) => (i === 0 ? '---' : '---:'));
  return [header, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
