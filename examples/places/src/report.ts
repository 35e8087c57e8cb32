// What the run prints: a progress line while it goes on, then the comparison.
import { activityLines } from './activity.ts';
import { figuresOf } from './figures.ts';
import type { Progress, Run, Variant } from './load.ts';
import { successRatio } from './measure.ts';
import { judgePromises, judgeRow, rows } from './rows.ts';

export const titles: Record<Variant, string> = { fetch: 'plain fetch', macadam: 'Macadam' };

export interface ProgressLine {
  update(progress: Progress): void;
  end(): void;
}

/** Shows how far a run is: on a terminal one line that is rewritten, else a line for each phase that is over. */
export function createProgressLine(stream: NodeJS.WriteStream = process.stdout): ProgressLine {
  const refreshMs = 100;
  let last: Progress | undefined;
  let shownMs = 0;
  const endPhase = (): void => {
    if (last !== undefined && !stream.isTTY) stream.write(`${line(last)}\n`);
  };
  return {
    update(progress) {
      const changed = progress.phase !== last?.phase;
      if (changed) endPhase();
      last = progress;
      if (!stream.isTTY || (!changed && progress.elapsedMs - shownMs < refreshMs)) return;
      shownMs = progress.elapsedMs;
      stream.write(`\r\x1b[2K${line(progress).slice(0, (stream.columns || 80) - 1)}`);
    },
    end() {
      endPhase();
      if (last !== undefined && stream.isTTY) stream.write('\r\x1b[2K');
      last = undefined;
    },
  };
}

function line({ variant, phase, elapsedMs, calls, waiting }: Progress): string {
  const recent = calls.filter((call) => call.phase === phase);
  const success = recent.length === 0 ? '' : `, ${(successRatio(recent) * 100).toFixed(1)} % with success`;
  const seconds = (elapsedMs / 1_000).toFixed(1).padStart(4);
  return `${titles[variant].padEnd(11)} ${seconds} s  ${phase}: ${recent.length} calls done${success}, ${waiting} waiting`;
}

/** The whole comparison, and whether Macadam won or tied every row and kept every promise. */
export function report(plain: Run, macadam: Run): { text: string; passed: boolean } {
  const [theirs, ours] = [figuresOf(plain), figuresOf(macadam)];
  const judged = rows.map((row) => judgeRow(row, theirs, ours));
  const promises = judgePromises(theirs, ours);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const text = [
    ...table([
      ['', titles.fetch, titles.macadam, ''],
      ...judged.map((row) => [row.label, row.plain, row.macadam, row.verdict]),
    ]),
    '',
    `${plain.calls.length} callers each, who come at the same moments and ask the same. A wait lasts until an answer, or until the`,
    `caller gives up. In the outage: ${titles.macadam}'s callers from when its circuit is open. Recovery: until in every later`,
    'second at least 95 % of the callers done in it succeed, those included whom the outage left hanging; for those who only',
    `come after it, ${titles.fetch} takes ${seconds(theirs.newCallerRecoveryMs)} and ${titles.macadam} ` +
      `${seconds(ours.newCallerRecoveryMs)}: its wait for the circuit's next probe.`,
    '',
    'What Macadam did:',
    ...activityLines(macadam),
    '',
    'Promises:',
    ...promises.map(({ kept, text, found }) => `  ${kept ? 'pass' : 'FAIL'}  ${text}: ${found}`),
    ...stallWarning(plain, macadam),
  ].join('\n');
  const passed = judged.every(({ verdict }) => verdict !== 'LOSES') && promises.every(({ kept }) => kept);
  return { text, passed };
}

/** On a machine that is busy with other things the services stall, and time limits strike where nothing is wrong. */
function stallWarning(...runs: readonly Run[]): string[] {
  const toleratedMs = 100;
  const longestMs = Math.max(...runs.map((run) => run.longestStallMs));
  if (longestMs <= toleratedMs) return [];
  return [
    '',
    `This machine is busy: the load run stood still for up to ${Math.round(longestMs)} ms. Trust a quieter run more.`,
  ];
}

/** Columns padded to their widest cell: the first to the left, the others to the right. */
function table(cells: readonly (readonly string[])[]): string[] {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('   ')
      .trimEnd(),
  );
  const [head = '', ...body] = lines;
  return [head, '-'.repeat(Math.max(...lines.map(({ length }) => length))), ...body];
}
