// What the run prints: the bad day, twice.
import { activityLines } from './activity.ts';
import { figuresOf } from './figures.ts';
import type { Run } from './load.ts';
import { judgePromises, judgeRow, type Promised, rows } from './rows.ts';
import { table } from './table.ts';
import { variants } from './variants.ts';

/** A part of the report, and whether all that it promises was kept. */
export interface Part {
  text: string;
  passed: boolean;
}

/** The whole comparison, and whether Macadam won or tied every row and kept every promise. */
export function report(plain: Run, macadam: Run): Part {
  const [theirs, ours] = [figuresOf(plain), figuresOf(macadam)];
  const judged = rows.map((row) => judgeRow(row, theirs, ours));
  const promises = judgePromises(theirs, ours);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const text = [
    ...table([
      ['', variants.fetch.title, variants.macadam.title, ''],
      ...judged.map((row) => [row.label, row.plain, row.macadam, row.verdict]),
    ]),
    '',
    `${plain.calls.length} callers each, who come at the same moments and ask the same. A wait lasts until an answer, or until the`,
    `caller gives up. In the outage: ${variants.macadam.title}'s callers from when its circuit is open. Recovery: until in every later`,
    'second at least 95 % of the callers done in it succeed, those included whom the outage left hanging; for those who only',
    `come after it, ${variants.fetch.title} takes ${seconds(theirs.newCallerRecoveryMs)} and ${variants.macadam.title} ` +
      `${seconds(ours.newCallerRecoveryMs)}: its wait for the circuit's next probe.`,
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

export function promiseLines(promises: readonly Promised[]): string[] {
  return promises.map(({ kept, text, found }) => `  ${kept ? 'pass' : 'FAIL'}  ${text}: ${found}`);
}

/** On a machine that is busy with other things the services stall, and time limits strike where nothing is wrong. */
export function stallWarning(runs: readonly Run[]): string[] {
  const toleratedMs = 100;
  const longestMs = Math.max(...runs.map((run) => run.longestStallMs));
  if (longestMs <= toleratedMs) return [];
  return [
    `This machine is busy: the load run stood still for up to ${Math.round(longestMs)} ms. Trust a quieter run more.`,
  ];
}
