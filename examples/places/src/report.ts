// The first part of the report: the bad day, with plain fetch and with Macadam.
import { activityLines } from './report-activity.ts';
import { figuresOf } from './figures.ts';
import type { Run } from './load.ts';
import { judgePromises, judgeRow, type JudgedPromise, rows } from './comparison.ts';
import { table } from './report-table.ts';
import { variants } from './variants.ts';

/** A part of the report, and whether all of its promises were kept. */
export interface Part {
  text: string;
  passed: boolean;
}

/** Passes if Macadam won or tied every row and kept every promise. */
export function comparisonReport(plain: Run, macadam: Run): Part {
  const [plainFigures, macadamFigures] = [figuresOf(plain), figuresOf(macadam)];
  const judged = rows.map((row) => judgeRow(row, plainFigures, macadamFigures));
  const promises = judgePromises(plainFigures, macadamFigures);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const text = [
    ...table([
      ['', variants.fetch.title, variants.macadam.title, ''],
      ...judged.map((row) => [row.label, row.plain, row.macadam, row.verdict]),
    ]),
    '',
    `${plain.calls.length} callers each, with the same requests at the same times. A wait ends with a response, or when the caller gives`,
    `up. Median wait in the outage: for ${variants.macadam.title}, of callers after its circuit opened. Recovery: until at least 95 % of the`,
    'calls that end in any later second succeed, including those that have hung since the outage. For callers who arrive',
    `after the outage, ${variants.fetch.title} takes ${seconds(plainFigures.newCallerRecoveryMs)} and ${variants.macadam.title} ` +
      `${seconds(macadamFigures.newCallerRecoveryMs)}: the time until the next probe of its circuit breaker.`,
    '',
    'What Macadam did:',
    ...activityLines(macadam),
    '',
    'Promises:',
    ...promiseLines(promises),
  ].join('\n');
  const passed = judged.every(({ verdict }) => verdict !== 'LOSES') && promises.every(({ kept }) => kept);
  return { text, passed };
}

export function promiseLines(promises: readonly JudgedPromise[]): string[] {
  return promises.map(({ kept, text, found }) => `  ${kept ? 'pass' : 'FAIL'}  ${text}: ${found}`);
}

const toleratedStallMs = 100;

/**
 * The last lines. On a machine that is busy with other work, the services stall: time limits expire, and the load shedder
 * rejects requests, although nothing is wrong with them. A run that fails on such a machine is not judged.
 */
export function verdict(passed: boolean, runs: readonly Run[]): string {
  const longestMs = Math.max(...runs.map((run) => run.longestStallMs));
  const isBusy = longestMs > toleratedStallMs;
  const stall = `the load run stalled for up to ${Math.round(longestMs)} ms`;
  if (passed) {
    const summary = 'Macadam won or tied every row and kept every promise.';
    return isBusy ? `${summary}\nThis machine is busy: ${stall}. A run on an idle machine is more reliable.` : summary;
  }
  if (!isBusy) return 'Macadam LOST a row or broke a promise.';
  return `NOT JUDGED: a row was lost or a promise not kept, but this machine is too busy to judge: ${stall},\nlonger than several of the limits above. Run it again on an idle machine.`;
}
