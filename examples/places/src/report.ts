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

const toleratedStallMs = 100;

/**
 * The last word. On a machine that is busy with other things the services stall, time limits strike where nothing is wrong, and
 * the shedder rightly turns away what there is no time for: what failed then tells of the machine, and is not held against anybody.
 */
export function verdict(passed: boolean, runs: readonly Run[]): string {
  const longestMs = Math.max(...runs.map((run) => run.longestStallMs));
  const isBusy = longestMs > toleratedStallMs;
  const stall = `the load run stood still for up to ${Math.round(longestMs)} ms`;
  if (passed) {
    const kept = 'Macadam won or tied every row and kept every promise.';
    return isBusy ? `${kept}\nThis machine is busy: ${stall}. Trust a quieter run more.` : kept;
  }
  if (!isBusy) return 'Macadam LOST a row or broke a promise.';
  return `NOT JUDGED: a row was lost or a promise not kept, but this machine is too busy to tell why: ${stall},\nlonger than several of the limits above. Run it again on a quieter machine.`;
}
