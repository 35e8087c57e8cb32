import type { Figure } from './measurement.ts';
import { isDistinct, ratioOf, type Ratio } from './ratio.ts';
import type { CaseResult, ClaimResult } from './result.ts';
import type { ContenderResult } from './rounds.ts';
import type { Claim } from './suite.ts';

/** A case as rows of text, the cheapest contender first; a curve in the order of its sizes. */
export function caseRows(result: CaseResult): string[][] {
  const cheapest = cheapestOf(result);
  const header = ['contender', 'CPU per operation', 'vs cheapest', 'per second', 'allocated', 'peak memory'];
  const rows = sortedByCost(result).map((one) => {
    const relative = one === cheapest ? '1.00x' : ratioText(ratioOf(one.rounds, cheapest.rounds));
    return [one.name, duration(one.cpuNs), relative, ...details(one)];
  });
  return [header, ...rows];
}

export function cheapestOf({ contenders }: Pick<CaseResult, 'contenders'>): ContenderResult {
  return contenders.reduce((cheapest, one) => (one.cpuNs.median < cheapest.cpuNs.median ? one : cheapest));
}

/** The cheapest first; a curve in the order of its sizes. */
export function sortedByCost({ contenders, curve = false }: CaseResult): readonly ContenderResult[] {
  return curve ? contenders : [...contenders].sort((a, b) => a.cpuNs.median - b.cpuNs.median);
}

function details({ perSecond, bytes, peakMiB }: ContenderResult): string[] {
  return [
    Math.round(perSecond.median).toLocaleString('en'),
    bytes === undefined ? 'unknown' : `${Math.round(bytes).toLocaleString('en')} B`,
    `${Math.round(peakMiB.median)} MiB`,
  ];
}

export function duration({ median, spread }: Figure): string {
  return `${nanoseconds(median)} ± ${(spread * 100).toFixed(0)} %`;
}

export function nanoseconds(ns: number): string {
  if (ns < 10) return `${ns.toFixed(1)} ns`;
  return ns < 10_000 ? `${Math.round(ns).toLocaleString('en')} ns` : `${(ns / 1_000).toFixed(1)} µs`;
}

/** A ratio, or a note that there is none: the rounds differ more than the two contenders do. */
export function ratioText(ratio: Ratio): string {
  if (!isDistinct(ratio)) return 'level';
  return `${short(ratio.value)}x`;
}

/** Whether a claim holds, with the interval of its ratio; no ratio for two contenders that cannot be distinguished. */
export function claimLine(claim: ClaimResult): string {
  const { of, atMost, ratio, verdict } = claim;
  const text = `${verdict}: ${of} at most ${atMost}x ${baselineText(claim)}`;
  if (!isDistinct(ratio)) return `- ${text}: level (the rounds do not distinguish the two)`;
  return `- ${text}: ${intervalText(ratio)}`;
}

/** The columns of a claim in a table of claims. */
export const CLAIM_COLUMNS = ['claim', 'verdict', 'limit', 'measured'];

/** A claim as cells for {@link CLAIM_COLUMNS}; a broken one is highlighted. */
export function claimCells(claim: ClaimResult): string[] {
  const { of, atMost, ratio, verdict } = claim;
  return [
    `${of} vs ${baselineText(claim)}`,
    verdict.startsWith('misses') ? `**${verdict}**` : verdict,
    `${atMost}x`,
    isDistinct(ratio) ? intervalText(ratio) : 'level',
  ];
}

/** The contender that a claim compares with, with its allowance. */
function baselineText({ to, plusNs }: Claim): string {
  return plusNs === undefined ? to : `${to} plus ${nanoseconds(plusNs)}`;
}

export function intervalText({ value, low, high }: Ratio): string {
  return `${short(value)}x (${short(low)} to ${short(high)})`;
}

function short(ratio: number): string {
  return ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2);
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

/** @param words - the number of text columns, which are aligned left; all others are figures */
export function markdownTable(rows: readonly (readonly string[])[], words = 1): string {
  const [header = [], ...body] = rows;
  const rule = header.map((_, i) => (i < words ? '---' : '---:'));
  return [header, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
